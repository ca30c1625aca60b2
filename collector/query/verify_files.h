/* All files of the archive against the ledger: the second half of `haul verify`. */
#ifndef HAUL_COLLECTOR_QUERY_VERIFY_FILES_H
#define HAUL_COLLECTOR_QUERY_VERIFY_FILES_H

#include "collector/query/listing.h"
#include "collector/query/printer.h"
#include "collector/query/progress.h"
#include "collector/query/soundness.h"
#include "common/map.h"

/* What is looked at: by globs, by days, and, when `shards` is set, only the services and hosts in
 * it. */
struct verify_choice {
	struct segment_choice names;
	int32_t first_day, last_day;
	struct map *shards; /* of "SERVICE HOST" texts; NULL: all */
};

struct verify_sums {
	uint64_t files, live, sealed, bytes; /* looked at; bytes as they are on disk */
	uint64_t unsound;                    /* of them: lines are missing */
	uint64_t unchecked, grown, unknown;
	uint64_t cut, cut_bytes;
};

struct verify_files {
	const char *data_dir;
	int archive_fd;
	struct account *account; /* may be replaced by a newer one */
	const struct verify_choice *choice;
	struct printer *printer;
	struct trouble *trouble;
	struct progress *progress;
	const atomic_bool *stop;
	struct verify_sums sums; /* the result */
};

/* With all cores. What is wrong is printed, trouble is told. Errors: as of the printer; -errno. */
int verify_files(struct verify_files *v) MUST_CHECK;

bool verify_shard_chosen(const struct verify_choice *c, const char *service, const char *host);
int verify_add_shard(struct map *shards, struct span service, struct span host) MUST_CHECK;
void verify_free_shards(struct map *shards);

#endif
