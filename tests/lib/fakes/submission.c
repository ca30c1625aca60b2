/* See submission.h. */
#include "tests/lib/fakes/submission.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

atomic_int fake_submissions;

struct submission *submission_new(void)
{
	struct submission *sub = calloc(1, sizeof(*sub));
	if (!sub)
		return NULL;
	sub->refs = 1;
	atomic_fetch_add(&fake_submissions, 1);
	return sub;
}

void submission_unref(struct submission *sub)
{
	if (!sub || __atomic_sub_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; sub->rendered && i < sub->batch.n_chunks; i++)
		rendered_chunk_free(&sub->rendered[i]);
	batch_free(&sub->batch);
	buf_free(&sub->gzip_body);
	buf_free(&sub->body);
	free(sub->terms);
	free(sub->rendered);
	free(sub->verdicts);
	if (sub->released)
		sub->released(sub->released_user);
	free(sub);
	atomic_fetch_sub(&fake_submissions, 1);
}

void fake_judge(struct submission *sub)
{
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct batch_chunk *c = &sub->batch.chunks[i];
		sub->verdicts[i] = (struct chunk_verdict){
			.stream = c->header.stream,
			.status = c->refused ? CHUNK_REFUSED : CHUNK_COMMITTED,
			.offset = c->refused ? c->header.from : c->header.to,
			.crc = c->header.crc,
			.error = c->refused};
	}
}

int fake_session_host(uint64_t session, char ret_host[NAME_MAX_LEN + 1])
{
	if (session == 6)
		return -ESTALE;
	if (session >= 100)
		(void)snprintf(ret_host, NAME_MAX_LEN + 1, "crowd-%d", (int)session);
	else if (session != 7 && session != 8)
		return -ENOENT;
	else
		(void)strcpy(ret_host, session == 7 ? "web-01" : "db-01");
	return 0;
}
