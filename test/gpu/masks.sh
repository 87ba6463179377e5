# Inputs that must be masks: seeded numbers in their place would make every answer NaN. Sourced; needs bash, mtrt and jq.

# ones FILE DIM...: an .npy of int64 ones.
ones() {
  local file=$1 shape elements=1 dim header
  shift
  for dim; do elements=$((elements * dim)); done
  shape=$(printf ', %s' "$@")
  [ $# != 1 ] || shape+=,
  header="{'descr': '<i8', 'fortran_order': False, 'shape': (${shape#, }), }"
  # Spaces up to a multiple of 64 bytes, with the ten of the magic and the line's end.
  header=$(printf "%-$(((${#header} + 11 + 63) / 64 * 64 - 11))s" "$header")
  {
    printf '\x93NUMPY\x01\x00'
    printf "\\x$(printf %02x $(((${#header} + 1) % 256)))\\x$(printf %02x $(((${#header} + 1) / 256)))"
    printf '%s\n' "$header"
    printf '\1\0\0\0\0\0\0\0%.0s' $(seq "$elements")
  } > "$file"
}

# mask_arguments MTRT BUNDLE FOLDER [TENANT]: mtrt's arguments for the int64 masks of a bundle, or of one tenant; one a line.
mask_arguments() {
  local tenant name shape file
  mkdir -p "$3"
  "$1" inspect "$2" --json - | jq -r --arg only "${4:-}" '.tenants[] | .name as $t | select($only == "" or $only == $t)
    | .entries[0].inputs[] | select(.element_type == "i64" and (.name | test("mask"))) | [$t, .name, (.shape | join(" "))] | @tsv' |
    while IFS=$'\t' read -r tenant name shape; do
      file=$3/$tenant.$(printf %s "$name" | tr '/:' '__').npy
      # shellcheck disable=SC2086
      ones "$file" $shape
      if [ -n "${4:-}" ]; then printf -- '--input\n%s\n' "$name=@$file"; else printf -- '--input\n%s\n' "$tenant/$name=@$file"; fi
    done
}
