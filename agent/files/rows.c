/* The collector's rows, as they come: see discover_inside.h. The uplink lists them one by one; when
 * all are there settle.c holds them against the files. What has ended is only remembered, to
 * recognise copies of it.
 *
 * Failure modes: memory is short: the row is missing, and its file is shipped as the registry has
 * it; the collector's answer then puts it right. */
#include "agent/files/discover_inside.h"

#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "common/chunk.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

static int copy_row(const struct stream_row *from, struct row *to)
{
	struct buf texts = BUF_EMPTY;
	int r = buf_add_span(&texts, from->path);
	r = r == 0 ? buf_add_char(&texts, '\0') : r;
	r = r == 0 ? buf_add_span(&texts, from->service) : r;
	r = r == 0 ? buf_add_char(&texts, '\0') : r;
	r = r == 0 ? buf_add_span(&texts, from->instance) : r;
	if (r < 0 || !buf_cstr(&texts)) {
		buf_free(&texts);
		return -ENOMEM;
	}
	*to = (struct row){
		.id = from->stream,
		.texts = texts.ptr,
		.path = texts.ptr,
		.service = texts.ptr + from->path.len + 1,
		.instance = texts.ptr + from->path.len + 1 + from->service.len + 1,
		.ino = from->ino,
		.btime_ns = from->btime_ns,
		.start = from->start,
	};
	position_init(&to->at, from->start);
	to->at.offset = from->offset;
	to->at.base = from->base;
	to->at.crc = from->crc;
	if (frame_state_decode(from->state, &to->at.frame) < 0)
		frame_state_init(&to->at.frame);
	return 0;
}

/* One that has ended is only there to recognise copies of it. */
static void bury_row(struct discover *d, const struct stream_row *row)
{
	char path[CHUNK_PATH_MAX + 1];
	size_t n = row->path.len < CHUNK_PATH_MAX ? row->path.len : CHUNK_PATH_MAX;
	memcpy(path, row->path.ptr, n);
	path[n] = '\0';
	struct past p = {
		.id = row->stream,
		.family = rotation_family(path_name(path)),
		.ino = row->ino,
		.btime_ns = row->btime_ns,
		.start = row->start,
		.base = row->base,
		.end = {row->offset, row->crc},
		.ended_s = clock_real_ns() / NUM_SEC_NS,
	};
	const struct past *known = past_by_id(source_past(d->table), &p.id);
	if (known && known->base == p.base)
		p.head = known->head; /* the collector does not know it */
	past_add(source_past(d->table), &p);
}

void discover_row(struct discover *d, const struct stream_row *row)
{
	d->rows_seen++;
	if (!source_by_id(d->table, &row->stream) &&
	    !past_by_id(source_past(d->table), &row->stream))
		d->strangers = d->strangers || source_past(d->table)->n < PAST_MAX;
	if (row->ended && !source_by_id(d->table, &row->stream)) {
		bury_row(d, row);
		return;
	}
	if (d->n_rows == d->rows_capacity) {
		size_t capacity = d->rows_capacity ? d->rows_capacity * 2 : 64;
		struct row *rows = realloc(d->rows, capacity * sizeof(*rows));
		if (!rows) {
			discover_short_of_memory(d);
			return;
		}
		d->rows = rows;
		d->rows_capacity = capacity;
	}
	if (copy_row(row, &d->rows[d->n_rows]) < 0)
		discover_short_of_memory(d);
	else
		d->n_rows++;
}

void rows_drop(struct discover *d)
{
	for (size_t i = 0; i < d->n_rows; i++)
		free(d->rows[i].texts);
	free(d->rows);
	d->rows = NULL;
	d->n_rows = d->rows_capacity = d->rows_seen = 0;
}
