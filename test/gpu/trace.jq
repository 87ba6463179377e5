# A Chrome trace (https://ui.perfetto.dev) of the rows that run-all.sh keeps of a round:
#   jq -f test/gpu/trace.jq --arg set S1_document result.json > trace.json
[.steps[] | select(.name == "bench trace " + $set) | .data[]] as $rows
| ($rows | map(.tenant) | unique) as $tenants
| {displayTimeUnit: "ms", traceEvents: [
    ($tenants | to_entries[] | {ph: "M", pid: .key, name: "process_name", args: {name: .value}}),
    ($rows[] | . as $row | .sm_groups[] | {ph: "X", pid: ($row.tenant as $t | $tenants | index($t)), tid: ., ts: $row.start_us, dur: $row.us,
      name: $row.name, cat: "task", args: ($row | {task, kernel, config, predicted_us})})]}
