/* The inside of the collector, for its files only: collector.c starts it, runs it and stops it;
 * reload.c changes its options while it runs. */
#ifndef HAUL_COLLECTOR_COLLECTOR_INSIDE_H
#define HAUL_COLLECTOR_COLLECTOR_INSIDE_H

#include "collector/ingest/auth.h"
#include "collector/ingest/http.h"
#include "collector/ingest/request.h"
#include "collector/keeper.h"
#include "collector/options.h"
#include "collector/rules.h"

struct collector {
	struct options *options;
	const char *path;
	bool optional;
	int signals;

	struct rules *rules;

	/* these three are as they were at the start, whatever a reload says */
	char *data_dir;
	char *listen;
	bool on_loopback;

	struct tls *tls; /* NULL: plain */
	struct intake intake;
	struct keeper *keeper;
	struct http *http;
	bool stopping;
	bool told_ready; /* the last that was said aloud */
	bool abandoned;  /* the keeper still runs: nothing may be freed */
	int64_t next_watchdog_ns;
};

/* What options say to each part. */
struct store_config collector_store_config(struct collector *c, const struct options *o);
struct auth_config collector_auth_config(const struct collector *c, const struct options *o);
struct tls_files collector_tls_files(const struct options *o);
/* Of the memory that batches may take: for bodies as they come, and for all else. */
uint64_t collector_receiving_bytes(const struct options *o);
uint64_t collector_working_bytes(const struct options *o);

/* --- reload.c --- */

/* Reads the configuration again: either all of it holds, or the old one goes on, said aloud. */
void reload_options(struct collector *c);

#endif
