/* What is there, and whether the index knows it: see janitor_inside.h. What a crash broke off is
 * finished here. */
#include "collector/janitor_inside.h"

#include "collector/store/index.h"
#include "collector/store/index_format.h"
#include "common/civil.h"
#include "common/log.h"

#include <errno.h>

/* As `haul-collector reindex` leaves it for a collector that runs. */
#define REINDEX_PATH TREE_HAUL "/reindex"

/* Sizes, and once after a start what a crash left. */
int janitor_look(struct janitor *j)
{
	uint64_t segments = 0, bytes = 0;
	int worst = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		struct segment_row *row = &j->rows[i];
		enum segment_form form;
		if (row->state == SEGMENT_STATE_CLOSED || row->state == SEGMENT_STATE_LIVE)
			continue;
		if (janitor_is_stopping(j))
			return -ECANCELED;
		int r = 0;
		if (!j->checked || row->state == SEGMENT_STATE_DELETED)
			r = archive_check(j->archive, row, &j->bytes[i]);
		else if (row->state == SEGMENT_STATE_SEALED)
			r = archive_look(store_tree(j->store), row, &form, &j->bytes[i]);
		worst = r < 0 && r != -ENOENT ? r : worst;
		segments += row->state == SEGMENT_STATE_SEALED;
		bytes += j->bytes[i];
	}
	janitor_show(&j->config.meters->archive_segments, segments);
	janitor_show(&j->config.meters->archive_bytes, bytes);
	return worst;
}

static bool is_indexed(const struct janitor *j, const struct index_search *s,
		       const struct segment_row *row)
{
	struct segment_name name = {
		.service = row->service, .host = row->host, .number = row->number};
	struct index_blocks blocks;
	uint64_t bytes;
	if (archive_look(store_tree(j->store), row, &name.form, &bytes) < 0)
		return true; /* nothing to index */
	return index_search_find(s, &name, bytes, &blocks);
}

/* A damaged file has no index, so each look for what lacks one reads it again: it is said by the
 * first. */
static void note_damage(struct janitor *j, const struct segment_row *row)
{
	char day[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(day, row->day);
	if (++j->n_damaged <= atomic_load(&j->config.meters->damaged_segments))
		return;
	janitor_show(&j->config.meters->damaged_segments, j->n_damaged);
	log_error("%s/%.*s/%.*s: sealed segment %u is damaged and has no index; haul verify says "
		  "what of it can be read",
		  day, (int)row->service.len, row->service.ptr, (int)row->host.len, row->host.ptr,
		  row->number);
}

static int index_day(struct janitor *j, const struct index_search *s, size_t from, size_t to)
{
	int worst = 0;
	for (size_t i = from; i < to; i++) {
		char class[JANITOR_CLASS_MAX];
		const struct segment_row *row = &j->rows[i];
		if (row->state != SEGMENT_STATE_SEALED || is_indexed(j, s, row))
			continue;
		if (janitor_is_stopping(j))
			return -ECANCELED;
		janitor_class_of(j, row, class);
		int r = archive_index(j->archive, row, class);
		if (r == -EBADMSG)
			note_damage(j, row);
		worst = r < 0 && r != -EBADMSG && r != -ENOENT && r != -EFBIG ? r : worst;
	}
	return worst;
}

/* Everything sealed that the index lacks. Rows are in the order of days. */
static int index_missing(struct janitor *j)
{
	static const struct slab_query all = {.since_us = INT64_MIN, .until_us = INT64_MAX};
	struct index *index;
	int r = index_open(store_tree(j->store)->root, &index), worst = 0;
	j->n_damaged = 0;
	if (r < 0)
		return r;
	struct index_search *s = index_search_new(index, &all);
	r = s ? 0 : -ENOMEM;
	for (size_t from = 0; from < j->n_rows && r == 0;) {
		size_t to = from;
		while (to < j->n_rows && j->rows[to].day == j->rows[from].day)
			to++;
		r = index_search_day(s, j->rows[from].day);
		if (r == 0) {
			int w = index_day(j, s, from, to);
			worst = w < 0 ? w : worst;
			r = w == -ECANCELED ? w : 0;
		}
		from = to;
	}
	if (r == 0)
		janitor_show(&j->config.meters->damaged_segments, j->n_damaged);
	index_search_free(s);
	index_free(index);
	return r < 0 ? r : worst;
}

int janitor_index(struct janitor *j)
{
	struct stat st;
	bool reindex = tree_stat(store_tree(j->store), REINDEX_PATH, &st) == 0;
	if (!reindex && j->checked)
		return 0;
	if (reindex) {
		log_notice("the index is made anew");
		int r = archive_reset_index(j->archive);
		if (r == 0)
			r = live_indexer_reset(j->live);
		if (r < 0)
			return r;
	}
	int r = index_missing(j);
	if (r == 0 && reindex)
		r = tree_remove(store_tree(j->store), REINDEX_PATH);
	return r;
}

/* --- live files --- */

/* Sealing goes before: with much waiting, and where room is short, nothing is added. */
int janitor_index_live(struct janitor *j)
{
	uint64_t segments;
	if (janitor_wanted_room(j))
		return live_indexer_reset(j->live);
	bool keep = janitor_waiting(j, &segments) > JANITOR_BACKLOG_BYTES;
	int r = live_indexer_pass(j->live, j->rows, j->n_rows, keep);
	janitor_show(&j->config.meters->live_indexed_bytes, live_indexer_covered(j->live));
	return r;
}
