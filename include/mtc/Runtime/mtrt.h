/*===- mtrt.h - the C API of the runtime -----------------------------------===
 *
 * A program is an opened bundle: immutable, shared. A session is a program on a device, with its
 * workers and memory; any thread may use it. A request runs one tenant; it has one owner, and the
 * memory bound to it must stay until it has finished. Requests run alone (mtrt_submit) or together
 * in a round (mtrt_submit_round).
 *
 * Nothing here prints, handles signals or ends the process. A bundle is native code: open only
 * what you trust; its hashes detect damage, not malice.
 *
 * Structs that mtrt reads or fills begin with their size: set it to sizeof before the call. New
 * fields are appended, and what lies beyond the caller's size is not touched; zeros are the
 * defaults.
 *
 * Every function that can fail returns an mtrt_status and, if `error` is not null, writes one line
 * of text. Times are ns of CLOCK_MONOTONIC; a deadline of 0 is none.
 *
 *===----------------------------------------------------------------------===*/
#ifndef MTC_RUNTIME_MTRT_H
#define MTC_RUNTIME_MTRT_H

#include "mtc/Runtime/mtrt_dlpack.h"

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MTRT_API __attribute__((visibility("default")))
#else
#define MTRT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mtrt_status {
  MTRT_OK = 0,
  MTRT_INTERNAL = 1,
  MTRT_INVALID_ARGUMENT = 2,
  MTRT_DEVICE_UNAVAILABLE = 7,
  MTRT_BUNDLE_REFUSED = 8,
  MTRT_BUSY = 16,    /* the queue is full */
  MTRT_TIMEOUT = 17, /* the deadline passed before the start, or a wait ended first */
  MTRT_CANCELLED = 18,
  MTRT_KERNEL_FAILED = 19, /* a kernel gave a status; the session goes on */
  MTRT_PENDING = 20,       /* submitted and not finished */
  MTRT_TOO_MANY_TRIPS = 21 /* a loop goes on after the last allowed iteration */
} mtrt_status;

/* "busy" for MTRT_BUSY; static storage. */
MTRT_API const char *mtrt_status_string(mtrt_status status);

/* "0.1.0"; static storage. */
MTRT_API const char *mtrt_version(void);

/* Set `size` to sizeof(mtrt_error). The message ends with a zero and is cut at the struct's end. */
typedef struct mtrt_error {
  size_t size;
  char message[504];
} mtrt_error;

typedef struct mtrt_program mtrt_program;
typedef struct mtrt_session mtrt_session;
typedef struct mtrt_request mtrt_request;

/* ---- Programs ---------------------------------------------------------- */

/* Opens a bundle file. Free with mtrt_program_close; sessions keep what they need of it. */
MTRT_API mtrt_status mtrt_program_open(const char *path, mtrt_program **program, mtrt_error *error);
MTRT_API void mtrt_program_close(mtrt_program *program);

/* Checks every byte of the bundle. */
MTRT_API mtrt_status mtrt_program_verify(const mtrt_program *program, mtrt_error *error);

/* Pointers live as long as the program. */
typedef struct mtrt_tenant_info {
  size_t size;
  const char *name;
  int32_t entries; /* shapes that the tenant is compiled for */
  int32_t inputs;  /* of its first entry */
  int32_t outputs;
} mtrt_tenant_info;

typedef struct mtrt_tensor_info {
  size_t size;
  const char *name;         /* any characters */
  const char *element_type; /* "f32", "i64", "bool", "f8e4m3fn", "i4", ... */
  DLDataType dtype;         /* a number of fewer than 8 bits has a byte of its own: 8 bits */
  int32_t ndim;
  const int64_t *shape;
  int64_t bytes;
  /* Of an input: the only value that the entry is compiled for, `bytes` long; null: any. Such an
   * input need not be bound; if it is, it must have this value when it is submitted. */
  const void *value;
  /* Of an output whose size depends on data, a name: that output, an i64 of no dimensions, holds
   * how many elements dimension extent_dim has; `shape` and `bytes` are the most. Null: no other
   * size. */
  const char *extent;
  int32_t extent_dim;
  int32_t reserved;
  /* Of an input that may be smaller than `shape`: the element that fills it up. Null: it may not.
   */
  const void *pad;
} mtrt_tensor_info;

MTRT_API int32_t mtrt_program_tenants(const mtrt_program *program);
MTRT_API mtrt_status mtrt_program_tenant(const mtrt_program *program, int32_t index,
                                         mtrt_tenant_info *info, mtrt_error *error);
/* The name of a tenant's entry. */
MTRT_API mtrt_status mtrt_program_entry(const mtrt_program *program, int32_t tenant, int32_t index,
                                        const char **name, mtrt_error *error);

/* The shape of the tensor that a caller has for an input. */
typedef struct mtrt_input_shape {
  const char *name;
  const int64_t *dims;
  int32_t rank;
} mtrt_input_shape;

/* Which entry of a tenant takes inputs of these shapes, or else the smallest that takes them
 * padded: its index and its name, either of which may be null. MTRT_INVALID_ARGUMENT if none does;
 * the message lists the entries. */
MTRT_API mtrt_status mtrt_program_choose_entry(const mtrt_program *program, int32_t tenant,
                                               const mtrt_input_shape *shapes, int32_t count,
                                               int32_t *index, const char **name,
                                               mtrt_error *error);
/* An input or output of an entry of a tenant; entry 0 is the first. */
MTRT_API mtrt_status mtrt_program_input(const mtrt_program *program, int32_t tenant, int32_t entry,
                                        int32_t index, mtrt_tensor_info *info, mtrt_error *error);
MTRT_API mtrt_status mtrt_program_output(const mtrt_program *program, int32_t tenant, int32_t entry,
                                         int32_t index, mtrt_tensor_info *info, mtrt_error *error);

/* ---- Sessions ---------------------------------------------------------- */

typedef enum mtrt_log_level {
  MTRT_LOG_DEBUG = 0,
  MTRT_LOG_INFO = 1,
  MTRT_LOG_NOTICE = 2, /* e.g. fewer cores than compiled for: planned again */
  MTRT_LOG_WARNING = 3
} mtrt_log_level;

typedef void (*mtrt_log_fn)(void *user, mtrt_log_level level, const char *message);

typedef struct mtrt_session_options {
  size_t size;
  const int32_t *cpus; /* CPUs for the workers; null: all that the calling thread may use */
  int32_t cpu_count;
  int32_t workers;        /* at most this many; 0: as many as the bundle is compiled for */
  int32_t queue_capacity; /* jobs that wait; 0: 64, -1: none */
  int32_t reserved;
  int64_t spin_ns;      /* how long workers of a running job spin before they sleep; 0: 200 us */
  int64_t idle_spin_ns; /* the same between jobs; 0: 50 us */
  mtrt_log_fn log;
  void *log_user;
  int64_t max_trips; /* of all loops of a task at run time: one more fails the request; 0: as
                        compiled */
  /* Of a session on a GPU: */
  const char *cuda_driver; /* path of the driver; null: libcuda.so.1 */
  void *cuda_context;      /* CUcontext of the caller: must be the primary one; null: any */
  int32_t node_by_node;    /* not 0: waits after every task, so that an error names its task; slow */
  /* Of a session on a host. 0: large weights are copied to memory of the session with huge pages,
   * which is faster; not 0: they stay in the mapping of the bundle, shared by all processes that map
   * the same file. */
  int32_t share_weights;
} mtrt_session_options;

/* A session on `device`: "host", "cuda" (device 0) or "cuda:N". `options` may be null. On a GPU
 * `workers` limits the groups of SMs, `cpus` means nothing. When the device is lost (a driver error
 * after which CUDA needs a new process) every request of the session ends with
 * MTRT_DEVICE_UNAVAILABLE from then on. No GPU has run this yet. */
MTRT_API mtrt_status mtrt_session_create(const mtrt_program *program, const char *device,
                                         const mtrt_session_options *options,
                                         mtrt_session **session, mtrt_error *error);
/* The session ends with its last request: destroy those too. */
MTRT_API void mtrt_session_destroy(mtrt_session *session);

typedef struct mtrt_statistics {
  size_t size;
  uint64_t completed, failed, timed_out, cancelled, busy;
  int64_t queued;      /* jobs that wait now */
  int64_t arena_bytes; /* reserved; memory is used where it is written */
  int32_t workers;
} mtrt_statistics;

MTRT_API mtrt_status mtrt_session_statistics(const mtrt_session *session,
                                             mtrt_statistics *statistics, mtrt_error *error);

/* ---- Requests ---------------------------------------------------------- */

/* A request of a tenant; `entry` null is its first. */
MTRT_API mtrt_status mtrt_request_create(mtrt_session *session, const char *tenant,
                                         const char *entry, mtrt_request **request,
                                         mtrt_error *error);
/* Cancels it, or waits for its end. Not from its own callback. */
MTRT_API void mtrt_request_destroy(mtrt_request *request);

/* Binds memory to an input or output by name: type and shape as the program says, row-major,
 * 64-byte aligned, on the CPU. A mismatch is an error, never a hidden copy. In a session on a GPU
 * also kDLCUDA memory of that GPU, which must stay valid until the request has finished. But an
 * input that has a `pad` may have a smaller shape and any alignment: each submission copies it, and
 * outputs that follow it have less to read, which mtrt_request_shape says; both are on the CPU. */
MTRT_API mtrt_status mtrt_request_bind(mtrt_request *request, const char *name,
                                       const DLTensor *tensor, mtrt_error *error);

/* CUevents for the next submission alone: the device starts behind `event` (wait), or records it
 * behind the request's outputs, before mtrt_submit returns (signal). A submission with events needs
 * an idle session: MTRT_BUSY else. */
MTRT_API mtrt_status mtrt_request_wait_event(mtrt_request *request, void *event, mtrt_error *error);
MTRT_API mtrt_status mtrt_request_signal_event(mtrt_request *request, void *event,
                                               mtrt_error *error);

/* Binds memory that the request owns, if nothing else is bound, and describes what is bound: an
 * easy way to get aligned memory. `tensor->shape` lives as long as the program. */
MTRT_API mtrt_status mtrt_request_tensor(mtrt_request *request, const char *name, DLTensor *tensor,
                                         mtrt_error *error);

/* Writes the shape that the last run gave an output: less than what the program says where that
 * depends on data. `ndim` is the room in `shape`, at least the output's dimensions. Its elements
 * lie one after the other, row-major. An output that holds an extent need not be bound. */
MTRT_API mtrt_status mtrt_request_shape(const mtrt_request *request, const char *name,
                                        int64_t *shape, int32_t ndim, mtrt_error *error);

/* Called once per request when it has finished, on a worker thread: return quickly. It may submit
 * the request again, but neither wait for it nor destroy it. */
typedef void (*mtrt_done_fn)(void *user, mtrt_request *request, mtrt_status status);

/* Queues a request to run alone. `done` may be null. */
MTRT_API mtrt_status mtrt_submit(mtrt_request *request, int64_t deadline_ns, mtrt_done_fn done,
                                 void *user, mtrt_error *error);
/* Queues requests of one session to run together; any tenants, in any order. */
MTRT_API mtrt_status mtrt_submit_round(mtrt_request *const *requests, int32_t count,
                                       int64_t deadline_ns, mtrt_done_fn done, void *user,
                                       mtrt_error *error);

/* Waits until the request has finished, at most to `deadline_ns`. Returns how it ended, or
 * MTRT_TIMEOUT while it goes on. */
MTRT_API mtrt_status mtrt_wait(mtrt_request *request, int64_t deadline_ns, mtrt_error *error);
/* How it ended, or MTRT_PENDING; does not wait. */
MTRT_API mtrt_status mtrt_request_status(const mtrt_request *request, mtrt_error *error);
/* Keeps a queued request from starting; MTRT_INVALID_ARGUMENT if it has started. */
MTRT_API mtrt_status mtrt_cancel(mtrt_request *request, mtrt_error *error);

/* Runs a request alone and waits: submit, then wait. */
MTRT_API mtrt_status mtrt_run(mtrt_request *request, mtrt_error *error);

typedef struct mtrt_timing {
  size_t size;
  int64_t submitted_ns, started_ns, finished_ns;
} mtrt_timing;

/* Of the last run that has finished. */
MTRT_API mtrt_status mtrt_request_timing(const mtrt_request *request, mtrt_timing *timing,
                                         mtrt_error *error);

#ifdef __cplusplus
}
#endif
#endif
