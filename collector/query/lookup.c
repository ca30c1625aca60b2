/* The question to the index: see lookup.h. Opened by search.c, asked by scan.c and blocks.c.
 *
 * A need is a string that stands in each line, or one of several; what of it are whole words, and
 * so in the index, store/tokens.h knows. A need of which nothing is a word says nothing, and then
 * only the times choose. */
#include "collector/query/lookup.h"

#include "collector/store/live_index.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

struct lookup {
	int live; /* the directory of the index of live files; -1: there is none */
	int32_t day;
	struct index *index;
	struct index_search *search;
	struct slab_query query;
	bool turned; /* to `day` */
	struct slab_need needs[NEEDS_MAX];
	struct token_terms words[NEEDS_MAX][FINDER_MAX];
};

static int add_need(struct lookup *l, struct tokenizer *t, const struct need *need)
{
	size_t at = l->query.n_needs;
	bool says_all = false;
	for (size_t i = 0; i < need->any_of->n; i++) {
		int r = token_terms_of(t, need->any_of->literals[i].needle, need->whole,
				       &l->words[at][i]);
		if (r < 0)
			return r;
		says_all |= l->words[at][i].n == 0;
	}
	if (need->any_of->n == 0 || says_all)
		return 0;
	l->needs[at] = (struct slab_need){.words = l->words[at], .n = need->any_of->n};
	l->query.n_needs++;
	return 0;
}

static int prepare(struct lookup *l, const struct needs *needs)
{
	struct tokenizer t = {0};
	int r = 0;
	l->query = (struct slab_query){
		.needs = l->needs, .since_us = needs->since_us, .until_us = needs->until_us};
	for (size_t i = 0; i < needs->n && r == 0; i++)
		r = add_need(l, &t, &needs->items[i]);
	tokenizer_free(&t);
	return r;
}

static bool chooses(const struct lookup *l)
{
	return l->query.n_needs || l->query.since_us > CIVIL_MIN_US ||
	       l->query.until_us <= CIVIL_MAX_US;
}

int lookup_open(int archive_fd, const struct needs *needs, bool always, struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->live = -1;
	int r = prepare(l, needs);
	if (r == 0 && !always && !chooses(l)) {
		lookup_close(l);
		*ret = NULL;
		return 0;
	}
	if (r == 0) {
		l->live = openat(archive_fd, LIVE_INDEX_DIR,
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = index_open(archive_fd, &l->index);
	}
	if (r == 0 && !(l->search = index_search_new(l->index, &l->query)))
		r = -ENOMEM;
	if (r < 0) {
		lookup_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

void lookup_close(struct lookup *l)
{
	if (!l)
		return;
	index_search_free(l->search);
	index_free(l->index);
	file_close(&l->live);
	free(l);
}

int lookup_day(struct lookup *l, int32_t day)
{
	if (!l || (l->turned && l->day == day))
		return 0;
	int r = index_search_day(l->search, day);
	l->turned = r == 0;
	l->day = day;
	return r;
}

static struct segment_name name_of(const struct segment *segment)
{
	return (struct segment_name){.service = span_of(segment->service),
				     .host = span_of(segment->host),
				     .number = segment->number,
				     .form = segment->form};
}

bool lookup_find(const struct lookup *l, const struct segment *segment, struct index_blocks *ret)
{
	if (!l || segment->form == SEGMENT_LIVE)
		return false;
	struct segment_name name = name_of(segment);
	return index_search_find(l->search, &name, segment->size, ret);
}

int lookup_live(const struct lookup *l, const struct segment *segment, int fd,
		struct slab_hits *ret, uint64_t *ret_covered)
{
	struct stat st;
	*ret_covered = 0;
	if (!l || l->live < 0 || segment->size < LIVE_INDEX_MIN || fstat(fd, &st) < 0)
		return 0;
	struct live_file file = {
		.day = l->day,
		.service = span_of(segment->service),
		.host = span_of(segment->host),
		.number = segment->form == SEGMENT_LIVE ? 0 : segment->number,
		.inode = st.st_ino,
	};
	return live_index_search(l->live, &file, fd, &l->query, ret, ret_covered);
}

bool lookup_counts(const struct lookup *l, const struct segment *segment, struct index_counts *c)
{
	if (!l || segment->form == SEGMENT_LIVE)
		return false;
	struct segment_name name = name_of(segment);
	return index_counts_start(c, l->search, &name, segment->size);
}
