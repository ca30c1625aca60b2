/* Lines to what the index knows of them: see digest.h. Called by seal.c and reindex.c.
 *
 * The columns before the message hardly change from line to line: they are read when they differ
 * from those of the line before. Of the time only day and hour are tokens; minutes, seconds and
 * fractions never are (tokens.h).
 *
 * The first line that is none of haul's, or of another host or service than the segment's, ends the
 * counting: who asks for numbers then has to read the lines.
 *
 * Fails only for want of memory; a line in any other form than haul's is read as a whole. */
#include "collector/store/digest.h"

#include "common/civil.h"
#include "common/columns.h"

static const struct field level_field = {
	.kind = FIELD_MESSAGE, .name = {"level", 5}, .path = {"level", 5}};

void digest_clear(struct digest *d)
{
	token_set_clear(&d->tokens);
	d->lines = 0;
	d->first_us = INT64_MAX;
	d->last_us = INT64_MIN;
	d->timeless = false;
	counts_block_clear(&d->counts);
	d->counts.unfit = d->host.len == 0;
	buf_clear(&d->columns);
	memset(d->hour, 0, sizeof(d->hour));
}

void digest_free(struct digest *d)
{
	token_set_free(&d->tokens);
	tokenizer_free(&d->tokenizer);
	counts_block_free(&d->counts);
	field_scratch_free(&d->field);
	buf_free(&d->columns);
	*d = (struct digest){0};
}

/* The bytes between the time and the message: " HOST SERVICE FLAGS ". 0: there is none. */
static size_t columns_length(struct span rest)
{
	size_t at = 0;
	if (rest.len == 0 || rest.ptr[0] != ' ')
		return 0;
	for (int blanks = 0; blanks < 4; blanks++) {
		at += span_find(span_from(rest, at), ' ') + 1;
		if (at > rest.len)
			return 0;
	}
	return at;
}

static int take_columns(struct digest *d, struct span columns)
{
	if (span_equal(buf_span(&d->columns), columns))
		return 0;
	buf_clear(&d->columns);
	struct span host = span_from(columns, 1);
	host.len = span_find(host, ' ');
	struct span service = span_from(columns, host.len + 2);
	service.len = span_find(service, ' ');
	service.len = span_find(service, '/');
	d->counts.unfit |= !span_equal(host, d->host) || !span_equal(service, d->service);
	int r = token_set_add(&d->tokens, &d->tokenizer, columns);
	return r < 0 ? r : buf_add_span(&d->columns, columns);
}

static int take_hour(struct digest *d, struct span time)
{
	if (memcmp(d->hour, time.ptr, sizeof(d->hour)) == 0)
		return 0;
	memcpy(d->hour, time.ptr, sizeof(d->hour));
	return token_set_add(&d->tokens, &d->tokenizer, span_first(time, sizeof(d->hour)));
}

static int count_line(struct digest *d, struct span line, int64_t time_us)
{
	struct json_found level;
	int r = field_get(&level_field, line, &d->field, &level);
	return r < 0 ? r : counts_block_add(&d->counts, time_us, r ? &level.text : NULL);
}

/* One line without its LF. */
static int take_line(struct digest *d, struct span line)
{
	int64_t time_us;
	d->lines++;
	if (line.len < CIVIL_TIME_LEN ||
	    civil_parse_us(span_first(line, CIVIL_TIME_LEN), &time_us) < 0) {
		d->timeless = d->counts.unfit = true;
		return token_set_add(&d->tokens, &d->tokenizer, line);
	}
	d->first_us = time_us < d->first_us ? time_us : d->first_us;
	d->last_us = time_us > d->last_us ? time_us : d->last_us;
	struct span rest = span_from(line, CIVIL_TIME_LEN);
	size_t columns = columns_length(rest);
	if (columns == 0) {
		d->counts.unfit = true;
		return token_set_add(&d->tokens, &d->tokenizer, line);
	}
	int r = take_hour(d, line);
	if (r == 0)
		r = take_columns(d, span_first(rest, columns));
	if (r == 0 && !d->counts.unfit)
		r = count_line(d, line, time_us);
	return r < 0 ? r : token_set_add(&d->tokens, &d->tokenizer, span_from(rest, columns));
}

int digest_take(struct digest *d, struct span lines, size_t tokens_max, size_t *ret_taken)
{
	size_t taken = 0;
	while (taken < lines.len && (taken == 0 || !tokens_max || d->tokens.count <= tokens_max)) {
		struct span rest = span_from(lines, taken);
		size_t len = span_find(rest, '\n');
		int r = take_line(d, span_first(rest, len));
		if (r < 0)
			return r;
		taken += len < rest.len ? len + 1 : len;
	}
	*ret_taken = taken;
	return counts_block_end(&d->counts);
}
