/* Agents that come back: see make_agents.h. */
#include "tests/lib/make_agents.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *host_of(size_t i)
{
	return i % 2 ? "web-02" : "web-01";
}

static void go_on(void *user, const struct stream_row *row)
{
	struct make_source *sources = user;
	for (size_t i = 0; i < MAKE_SOURCES; i++)
		if (stream_id_equal(&row->stream, &sources[i].stream))
			make_seek(&sources[i], row->offset, row->crc);
}

static struct store_config config(void)
{
	/* Segments and files of the log fill after some rounds, and checkpoints come often. */
	return (struct store_config){
		.segment_bytes = 2000, .checkpoint_bytes = 1500, .wal_file_bytes = 8192};
}

bool make_agents_work(struct make_agents *agents, bool may_fail)
{
	struct store_config c = config();
	c.data_dir = agents->dir;
	struct conf_error err;
	struct store *store = NULL;
	int opened = store_open(&c, &store, &err);
	ck_assert_msg(opened == 0 || may_fail, "store_open: %s", err.text);
	if (opened < 0)
		return false;
	uint64_t sessions[2];
	struct make_source sources[MAKE_SOURCES];
	memcpy(sources, agents->sources, sizeof(sources));
	for (size_t i = 0; i < 2; i++) {
		int result;
		sessions[i] = make_session(store, host_of(i), "m", &result);
		ck_assert(result == 0 || (may_fail && result == -EIO));
		if (result < 0) {
			store_close(store);
			return false;
		}
		if (make_rows(store, host_of(i), go_on, sources) < 0) {
			ck_assert(may_fail);
			store_close(store);
			return false;
		}
	}
	for (size_t i = 0; i < MAKE_SOURCES; i++)
		ck_assert_uint_ge(sources[i].lines, agents->acknowledged[i]);
	bool failed = false;
	for (int round = 0; round < MAKE_ROUNDS && !failed; round++) {
		struct make_answer answers[MAKE_SOURCES];
		for (size_t i = 0; i < MAKE_SOURCES; i++) {
			struct buf body = BUF_EMPTY;
			make_chunk(&body, &sources[i], host_of(i), MAKE_LINES);
			if (sources[i].lines > agents->sent[i])
				agents->sent[i] = sources[i].lines;
			make_submit(store, host_of(i), sessions[i % 2], buf_span(&body),
				    &answers[i]);
			buf_free(&body);
		}
		for (size_t i = 0; i < MAKE_SOURCES; i++) {
			make_wait(&answers[i]);
			ck_assert(answers[i].result == 0 ||
				  (may_fail && answers[i].result == -EIO));
			failed |= answers[i].result < 0;
			if (answers[i].result == 0) {
				ck_assert_int_eq((int)answers[i].verdicts[0].status,
						 CHUNK_COMMITTED);
				agents->acknowledged[i] = sources[i].lines;
			}
			make_answer_free(&answers[i]);
		}
	}
	store_close(store);
	return !failed;
}

void make_agents_check(const struct make_agents *agents)
{
	struct make_lines l;
	make_read_archive(agents->dir, &l);
	for (size_t i = 0; i < MAKE_SOURCES; i++)
		make_check(&l, agents->sources[i].name, agents->acknowledged[i], agents->sent[i]);
	make_lines_free(&l);
}

void make_agents_begin(struct make_agents *agents)
{
	memset(agents, 0, sizeof(*agents));
	(void)snprintf(agents->dir, sizeof(agents->dir), "%s/haul-test-agents-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(agents->dir));
	for (size_t i = 0; i < MAKE_SOURCES; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "s%zu", i);
		make_source(&agents->sources[i], i < 3 ? "checkout" : "cart", name);
	}
}

void make_agents_end(const struct make_agents *agents)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", agents->dir);
	ck_assert_int_eq(system(command), 0);
}
