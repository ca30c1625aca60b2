/* Batches by hand, for tests of the store: sources that write numbered lines, agents' chunks of
 * them, submissions as ingest would make them; and the oracle that reads the archive back. Asserts
 * (check.h) that what must work does. */
#ifndef HAUL_TESTS_LIB_MAKE_BATCH_H
#define HAUL_TESTS_LIB_MAKE_BATCH_H

#include "collector/store/store.h"

/* A source that writes "NAME 1", "NAME 2", ...; what an agent knows of it. */
struct make_source {
	char name[64];
	char service[64];
	char instance[64];
	struct stream_id stream;
	uint64_t start, base, offset, crc; /* the agent's position */
	uint64_t lines;                    /* read so far: the next one has this number + 1 */
	size_t padding;                    /* bytes put behind each line's number */
	int64_t time_us;                   /* of the next line; 0: now */
	int64_t step_us;                   /* from line to line */
};

void make_source(struct make_source *s, const char *service, const char *name);

/* A chunk with the next `n` lines, appended to `body`; the source goes on behind it. */
void make_chunk(struct buf *body, struct make_source *s, const char *host, size_t n);
/* Any chunk: header as it is (bytes set from the payload). */
void make_raw_chunk(struct buf *body, struct chunk *header, struct span payload);

/* An answer, kept. */
struct make_answer {
	int result;
	bool answered;
	struct chunk_verdict *verdicts;
	size_t n;
};

/* As ingest does it: compressed, parsed, rendered. `answer` may be NULL; it is filled before
 * make_wait returns. The body is copied. */
struct submission *make_submission(struct store *s, const char *host, uint64_t session,
				   struct span body, struct make_answer *answer);
void make_submit(struct store *s, const char *host, uint64_t session, struct span body,
		 struct make_answer *answer);
/* Waits until it is there. */
void make_wait(struct make_answer *answer);
/* Both, and one chunk; the status. */
enum chunk_status make_send(struct store *s, const char *host, uint64_t session,
			    struct make_source *source, size_t n_lines);
void make_answer_free(struct make_answer *answer);

uint64_t make_session(struct store *s, const char *host, const char *machine, int *ret_result);

/* Asks where the host's streams stand; each row is valid during its call. 0, or what the answer
 * was. */
int make_rows(struct store *s, const char *host,
	      void (*each)(void *user, const struct stream_row *row), void *user);
/* Lets the source go on where the collector stands: the lines up to there are made again. */
void make_seek(struct make_source *s, uint64_t offset, uint64_t crc);

struct store *make_store(const char *data_dir, const struct store_config *config);

/* --- the oracle --- */

/* All stored lines below data_dir whose message begins with "NAME " and a number, in the order of
 * days, and of segments within them. */
struct make_lines {
	uint64_t *numbers;
	size_t n;
	char (*names)[64]; /* of each */
};

void make_read_archive(const char *data_dir, struct make_lines *ret);
void make_lines_free(struct make_lines *l);

/* The lines of one source: 1 to at least `acknowledged`, each once, in order, and none beyond
 * `sent`. Aborts the test otherwise. */
void make_check(const struct make_lines *l, const char *name, uint64_t acknowledged, uint64_t sent);

#endif
