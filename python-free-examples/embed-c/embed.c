/* Loads a bundle and runs one tenant of it: embed BUNDLE TENANT
 *
 *   cc embed.c $(pkg-config --cflags --libs mtrt) -o embed      (or CMakeLists.txt beside this)
 *
 * Inputs are zeros here; an application writes its own values where memset is. */
#include <mtc/Runtime/mtrt.h>

#include <stdio.h>
#include <string.h>

static mtrt_error error = {sizeof(error), ""};

/* Ends the program with mtrt's message if a call failed. */
#define CHECK(call)                                                                                \
  do {                                                                                             \
    mtrt_status status_ = (call);                                                                  \
    if (status_ != MTRT_OK) {                                                                      \
      fprintf(stderr, "embed: %s: %s\n", mtrt_status_string(status_), error.message);              \
      return (int)status_;                                                                         \
    }                                                                                              \
  } while (0)

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: embed BUNDLE TENANT\n");
    return 2;
  }
  mtrt_program *program;
  mtrt_session *session;
  mtrt_request *request;
  CHECK(mtrt_program_open(argv[1], &program, &error));
  CHECK(mtrt_session_create(program, "host", NULL, &session, &error));
  CHECK(mtrt_request_create(session, argv[2], NULL, &request, &error));

  mtrt_tenant_info tenant = {.size = sizeof(tenant)};
  int32_t index = 0;
  do
    CHECK(mtrt_program_tenant(program, index++, &tenant, &error));
  while (strcmp(tenant.name, argv[2]) != 0);
  index -= 1;

  /* Memory of the request's own: aligned, and used in place. */
  mtrt_tensor_info info = {.size = sizeof(info)};
  DLTensor tensor;
  for (int32_t i = 0; i < tenant.inputs; ++i) {
    CHECK(mtrt_program_input(program, index, 0, i, &info, &error));
    CHECK(mtrt_request_tensor(request, info.name, &tensor, &error));
    memset(tensor.data, 0, (size_t)info.bytes);
  }
  for (int32_t i = 0; i < tenant.outputs; ++i) {
    CHECK(mtrt_program_output(program, index, 0, i, &info, &error));
    CHECK(mtrt_request_tensor(request, info.name, &tensor, &error));
  }

  CHECK(mtrt_run(request, &error));

  for (int32_t i = 0; i < tenant.outputs; ++i) {
    CHECK(mtrt_program_output(program, index, 0, i, &info, &error));
    CHECK(mtrt_request_tensor(request, info.name, &tensor, &error));
    printf("%s: %s, %lld bytes", info.name, info.element_type, (long long)info.bytes);
    if (strcmp(info.element_type, "f32") == 0 && info.bytes > 0)
      printf(", first value %g", (double)*(float *)tensor.data);
    printf("\n");
  }
  mtrt_request_destroy(request);
  mtrt_session_destroy(session);
  mtrt_program_close(program);
  return 0;
}
