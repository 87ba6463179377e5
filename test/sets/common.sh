# Shell functions of the tests on real model sets. Sourced from the repository's root; needs bash and jq.

bin=build/bin
references=build/references

# make_references SET: inputs and onnxruntime's outputs of the set's models under build/references.
make_references() {
  grep -E "^name|	$1	" test/sets/models.tsv > "build/$1.tsv"
  local stamp=$references/.$1 script
  for script in test/sets/models.tsv test/sets/tolerances.py test/peers/peers.py; do
    [ "$stamp" -nt "$script" ] || stamp=
  done
  [ -n "$stamp" ] && return 0
  build/venv/bin/python test/peers/peers.py --table "build/$1.tsv" static build/models "$references"
  build/venv/bin/python test/sets/tolerances.py "$references" $(tail -n +2 "build/$1.tsv" | cut -f1)
  touch "$references/.$1"
}

# tenant_arguments TENANT [PREFIX]: mtrt's arguments for the reference inputs and expected outputs, one a line.
tenant_arguments() {
  local option kind name
  while IFS=$'\t' read -r option kind name; do
    printf '%s\n%s\n' "$option" "$2$name=@$references/$1/$kind.$(printf %s "$name" | tr '/:' '__').npy"
  done < <(jq -r '(.inputs[] | "--input\tin\t" + .), (.outputs[] | "--expected-output\tout\t" + .)' \
    "$references/$1/io.json")
}

# output_argument TENANT NAME: NAME=@FILE of the reference for one output.
output_argument() { printf '%s' "$2=@$references/$1/out.$(printf %s "$2" | tr '/:' '__').npy"; }

# input_arguments TENANT [PREFIX]: the inputs alone.
input_arguments() { tenant_arguments "$@" | paste - - | grep -P '^--input\t' | tr '\t' '\n'; }

# same_files A B WHAT: both folders hold the same files with the same bytes.
same_files() {
  [ -n "$(ls -A "$1")" ] || { echo "FAILED: $3: nothing was written to $1"; exit 1; }
  diff -r "$1" "$2" > /dev/null || { echo "FAILED: $3: outputs differ bitwise"; diff -rq "$1" "$2"; exit 1; }
  echo "ok: $3: outputs are bitwise equal"
}
