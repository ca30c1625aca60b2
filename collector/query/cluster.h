/* Templates that differ in a word become one: the second half of `haul patterns`. */
#ifndef HAUL_COLLECTOR_QUERY_CLUSTER_H
#define HAUL_COLLECTOR_QUERY_CLUSTER_H

#include "collector/query/leaders.h"

/* Where at least this many different words stand in the same place of templates that are the same
 * otherwise, the place varies. */
#define CLUSTER_WORDS 8

/* Puts them together in place: fewer leaders afterwards, whose counts and times are summed up, in
 * order of their counts. The result depends on the set alone, not on its order. -ENOMEM. */
int cluster_leaders(struct leaders *l) MUST_CHECK;

#endif
