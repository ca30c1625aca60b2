#!/bin/bash
# The layering, read from the #include lines: who may include whom, and that every .c file includes its
# own header first. Prints what breaks it, FILE:LINE, and exits 1.
set -euo pipefail
cd "$(dirname "$0")/../.."

# What the reader may see of the store: formats and pure readers. Never what writes or owns the archive
# (WAL, ledger, shards, sealing).
export STORE_FORMATS='^collector/store/(account|layout|segment_name|block|counts|index|live_index|slab|filter|token|tokens|sealed)[.]h$'

shopt -s nullglob globstar
files=(common/**/*.[ch] agent/**/*.[ch] collector/**/*.[ch])
[ ${#files[@]} -gt 0 ] || exit 0

awk '
	function allowed(file, header) {
		if (header ~ /^common\//)
			return 1
		if (file ~ /^agent\//)
			return header ~ /^agent\//
		if (file ~ /^collector\/query\//)
			return header ~ /^collector\/query\// || header ~ ENVIRON["STORE_FORMATS"]
		if (file ~ /^collector\/store\//)
			return header ~ /^collector\/store\//
		if (file ~ /^collector\/ingest\//)
			return header ~ /^collector\/(ingest|store)\//
		if (file ~ /^collector\//)
			return header ~ /^collector\// && header !~ /^collector\/query\//
		return 0
	}
	function complain(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		bad = 1
	}
	FNR == 1 { seen = 0 }
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\"")
		header = part[2]
		if (header !~ /\//)
			complain("\"" header "\": includes name their header by its path from the root")
		else if (!allowed(FILENAME, header))
			complain(FILENAME " must not include " header " (see CONTRIBUTING.md)")
	}
	/^[ \t]*#[ \t]*include/ && !seen++ && FILENAME ~ /\.c$/ {
		own = FILENAME
		sub(/\.c$/, ".h", own)
		if (index($0, "\"" own "\"") == 0 && (getline line < own) >= 0)
			complain("its own header " own " comes first")
		close(own)
	}
	END { exit bad }
' "${files[@]}"
