#!/bin/bash
# Headers that a file includes and does not use: of the C library, and of common/ by the prefix of their names. Prints each,
# FILE:LINE, and exits 1. (A name in a comment counts as used: nothing is found that is not so.)
set -euo pipefail
cd "$(dirname "$0")/../.."

shopt -s nullglob globstar
files=(common/**/*.c agent/**/*.c collector/**/*.c tests/**/*.c)
[ ${#files[@]} -gt 0 ] || exit 0

awk '
	BEGIN {
		uses["<assert.h>"] = "assert[(]"
		uses["<dirent.h>"] = "dirent|DIR"
		uses["<errno.h>"] = "errno|[^A-Z_]E[A-Z0-9][A-Z0-9]+"
		uses["<fcntl.h>"] = "O_[A-Z]|F_[A-Z]|AT_|fcntl|fallocate|SYNC_FILE|open(at)?[(]|creat[(]"
		uses["<inttypes.h>"] = "PRI|SCN"
		uses["<limits.h>"] = "_MAX|_MIN"
		uses["<stdio.h>"] = "print|scan|FILE|put|get|EOF|std(in|out|err)|rename[(]|remove[(]|open"
		uses["<stdlib.h>"] = "alloc|free[(]|abort[(]|exit|qsort|bsearch|strto|env[(]|mkstemp|mkdtemp|rand|system[(]|realpath|EXIT_|atoi|labs"
		uses["<string.h>"] = "mem[a-z]+[(]|str[a-z_]+[(]"
		uses["<sys/stat.h>"] = "stat|S_I|mkdir|chmod|mkfifo|futimens|utimensat|umask"
		uses["\"common/civil.h\""] = "civil_|CIVIL_"
		uses["\"common/clock.h\""] = "clock_"
		uses["\"common/crc64.h\""] = "crc64_|CRC64_"
		uses["\"common/file.h\""] = "file_"
		uses["\"common/log.h\""] = "log_|LOG_"
		uses["\"common/num.h\""] = "num_|NUM_"
	}
	function judge(  header) {
		for (header in line)
			if (!(header in used)) {
				printf "%s:%d: %s is not used\n", file, line[header], header
				bad = 1
			}
		delete line
		delete used
	}
	FNR == 1 {
		judge()
		file = FILENAME
	}
	/^#include/ {
		if ($2 in uses)
			line[$2] = FNR
		next
	}
	{
		for (header in line)
			if (!(header in used) && $0 ~ uses[header])
				used[header] = 1
	}
	END {
		judge()
		exit bad
	}
' "${files[@]}"
