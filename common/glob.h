/* Globs: of paths to follow, and of names (services, hosts).
 *
 *     *         any characters but /
 *     ?         one character but /
 *     **        as a whole component: any number of components, also none; at the end: everything below
 *     [a-z]     one of these; [!a-z] or [^a-z] none of them; [:digit:] and its like inside
 *     {a,b}     either; may be nested and hold /
 *     \         takes the next character as it is
 *
 * As in a shell: what stands at the start of a component for one or more characters does not match
 * a leading dot, so hidden files need a pattern that names the dot; ** does not go into hidden
 * directories. A [ or { that is never closed stands for itself. Characters are UTF-8; other bytes
 * match themselves and ?. A pattern is at most GLOB_PATTERN_MAX bytes long; a longer one matches
 * nothing (glob_valid tells).
 *
 * The pattern runs as a set of states over the text, so time is at most length times length,
 * whatever the pattern. Pure functions, no memory taken, thread-safe. */
#ifndef HAUL_COMMON_GLOB_H
#define HAUL_COMMON_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#define GLOB_PATTERN_MAX 4096

/* Not empty, and not too long to be matched. */
bool glob_valid(const char *pattern);

/* Does the whole path match? */
bool glob_match(const char *pattern, const char *path);

/* Could a path below this directory match? (So a walk knows where to go down, and a watch where to
 * stand.) `dir` has no slash at its end, but "/" is fine. */
bool glob_match_below(const char *pattern, const char *dir);

/* The same for names: / and leading dots are characters like any other, ** is *. */
bool glob_match_name(const char *pattern, const char *name);

/* The length of the leading directory that the pattern says without wildcards, and without the
 * slash behind it unless it is the root: 8 for "/var/log/a?/x.log" and for "/var/log/syslog", 1 for
 * "/x?", 0 when there is none. A component with a backslash counts as a wildcard. */
size_t glob_literal_dir(const char *pattern);

#endif
