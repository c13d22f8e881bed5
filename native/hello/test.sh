#!/bin/sh
# Tests of the built-in image: test.sh BUILD_DIRECTORY
set -eu
build=$1 here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" > "$work/output" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok: $name"
		cat "$work/output"
	fi
}
contains() { grep -q "$1" "$2"; }
smaller() { [ "$(stat -c %s "$1")" -lt "$2" ]; }
# Every blob's name is its digest.
digests() { (cd "$1/blobs/sha256" && for blob in *; do echo "$blob  $blob" | sha256sum --check --quiet; done); }

check "the program runs" "$build/hello"
"$build/hello" > "$work/said"
for label in "host name" process "user here" memory cpu cgroup namespaces capabilities "system calls" root; do
	check "it tells $label" contains "^  $label " "$work/said"
done
check "no line ends in a blank" sh -c '! grep -q " $" "$1"' - "$work/said"
check "the program is below 900 kB" smaller "$build/hello" 900000
mkdir "$work/image"
check "the archive unpacks" tar xf "$build/hello.tar" -C "$work/image"
check "blobs have their digest as a name" digests "$work/image"
check "the archive can be made again" sh "$here/image.sh" "$build/hello" hello "$work/again.tar"
check "and has the same bytes" cmp "$build/hello.tar" "$work/again.tar"
echo "hello: $passed passed, $failed failed"
[ "$failed" = 0 ]
