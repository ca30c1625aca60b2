/* `haul count`: see haul(1).
 *
 *     search all days -> tallies -> (spans of time put together) -> rows in order of time, or of count
 */
#include "collector/query/count.h"

#include "collector/query/counter.h"
#include "collector/query/table.h"
#include "common/num.h"

#include <errno.h>

enum { AUTO_ROWS = 48 /* at most, when no span was asked for */, TIME_TEXT = 21 };

struct count {
	struct search search;
	struct counter counter;
	struct printer printer;
	struct table *table;
	struct table_column columns[TABLE_COLUMNS_MAX];
	size_t n_columns;
	int64_t every_us; /* of a row; a multiple of the counter's */
	uint64_t most;    /* the greatest count of a row: a whole bar */
};

struct row {
	struct counter_key key;
	uint64_t count;
};

/* --- rows in order of their keys --- */

/* Gives rows to `each`; neighbours in the same span of time become one. */
static int for_rows(struct count *c, int (*each)(struct count *c, const struct row *row))
{
	struct tally_reader reader;
	struct tally_value value;
	struct span key;
	struct row row, waiting = {.count = 0};
	bool unite = c->every_us != c->counter.every_us;
	int r = tally_open(c->counter.tallies, c->counter.n, &reader);
	while (r == 0 && (r = tally_next(&reader, &key, &value)) > 0) {
		counter_split(&c->counter, key, &row.key);
		row.count = value.count;
		r = 0;
		if (!unite) {
			r = each(c, &row);
			continue;
		}
		if (row.key.time_us != COUNTER_NO_TIME)
			row.key.time_us -= row.key.time_us % c->every_us;
		if (waiting.count && waiting.key.time_us == row.key.time_us) {
			waiting.count += row.count;
			continue;
		}
		if (waiting.count)
			r = each(c, &waiting);
		waiting = row;
	}
	if (r == 0 && waiting.count)
		r = each(c, &waiting);
	tally_close(&reader);
	return r;
}

static int note_most(struct count *c, const struct row *row)
{
	if (row->count > c->most)
		c->most = row->count;
	return 0;
}

static void format_time(char dst[TIME_TEXT], int64_t us)
{
	char text[CIVIL_TIME_LEN];
	civil_format_us(text, us);
	memcpy(dst, text, TIME_TEXT - 2);
	dst[TIME_TEXT - 2] = 'Z';
	dst[TIME_TEXT - 1] = '\0';
}

static int print_row(struct count *c, const struct row *row)
{
	struct cell cells[TABLE_COLUMNS_MAX] = {{.number = 0}};
	char time[TIME_TEXT] = "";
	size_t n = 0;
	if (c->counter.every_us) {
		if (row->key.time_us != COUNTER_NO_TIME)
			format_time(time, row->key.time_us);
		cells[n++].text = span_of(time);
	}
	for (size_t i = 0; i < c->counter.n_fields; i++)
		if (row->key.has[i])
			cells[n + i].text = row->key.values[i];
	n += c->counter.n_fields;
	cells[n++].number = row->count;
	cells[n++].share = c->most ? (double)row->count / (double)c->most : 0;
	return table_add(c->table, cells);
}

/* --- rows in order of their counts --- */

enum { COUNT_BYTES = 8 };

/* Into a sorter, by the count upside down, then by the key. */
static int rank(struct count *c, struct sorter *sorter)
{
	struct tally_reader reader;
	struct tally_value value;
	struct span key;
	struct buf body = BUF_EMPTY;
	int r = tally_open(c->counter.tallies, c->counter.n, &reader);
	while (r == 0 && (r = tally_next(&reader, &key, &value)) > 0) {
		char text[COUNT_BYTES];
		for (int i = 0; i < COUNT_BYTES; i++)
			text[i] = (char)(~value.count >> (8 * (COUNT_BYTES - 1 - i)) & 0xff);
		buf_clear(&body);
		r = buf_add(&body, text, sizeof(text));
		if (r == 0)
			r = buf_add_span(&body, key);
		const struct record record = {.key_at = (uint32_t)body.len,
					      .body = buf_span(&body)};
		if (r == 0)
			r = sorter_add(sorter, &record);
	}
	tally_close(&reader);
	buf_free(&body);
	return r;
}

static int print_ranked(struct count *c)
{
	struct merge *m = NULL;
	struct record record;
	struct sorter *sorter = sorter_new(RECORD_BY_BODY, SEARCH_MEMORY / 4, 0);
	int r = sorter ? rank(c, sorter) : -ENOMEM;
	if (r == 0)
		r = merge_open(&sorter, 1, &m);
	while (r == 0 && (r = merge_next(m, &record)) > 0) {
		struct row row = {.count = 0};
		for (int i = 0; i < COUNT_BYTES; i++)
			row.count = row.count << 8 | (uint8_t)~record.body.ptr[i];
		counter_split(&c->counter, span_from(record.body, COUNT_BYTES), &row.key);
		if (c->most == 0)
			c->most = row.count;
		r = print_row(c, &row);
	}
	merge_close(m);
	sorter_free(sorter);
	return r;
}

/* --- the span of a row --- */

struct range {
	int64_t first_us, last_us;
	bool any;
};

/* No span was asked for: one of which AUTO_ROWS cover what was found. */
static int choose_every(struct count *c)
{
	static const int64_t minutes[] = {1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440};
	struct tally_reader reader;
	struct tally_value value;
	struct span key;
	struct range range = {.any = false};
	int r = tally_open(c->counter.tallies, c->counter.n, &reader);
	while (r == 0 && (r = tally_next(&reader, &key, &value)) > 0) {
		struct counter_key split;
		counter_split(&c->counter, key, &split);
		r = 0;
		if (split.time_us == COUNTER_NO_TIME)
			continue;
		if (!range.any)
			range.first_us = split.time_us;
		range.last_us = split.time_us;
		range.any = true;
	}
	tally_close(&reader);
	int64_t length_us = range.any ? range.last_us - range.first_us : 0;
	c->every_us = c->counter.every_us;
	for (size_t i = 0; i < sizeof(minutes) / sizeof(*minutes); i++) {
		c->every_us = minutes[i] * 60 * NUM_SEC_US;
		if (length_us / c->every_us < AUTO_ROWS)
			break;
	}
	while (length_us / c->every_us >= AUTO_ROWS)
		c->every_us *= 2; /* of days */
	return r;
}

/* --- */

static int print(struct count *c, const struct options *o)
{
	bool by_time = c->counter.every_us;
	int r = by_time && !o->every_us ? choose_every(c) : 0;
	if (r == 0 && by_time && c->printer.terminal)
		r = for_rows(c, note_most);
	if (r == 0)
		r = by_time ? for_rows(c, print_row) : print_ranked(c);
	if (r == 0)
		r = table_flush(c->table);
	return r == 0 || r == -EPIPE ? r : search_tell(r, "cannot print the counts");
}

static void set_columns(struct count *c, const struct options *o)
{
	if (c->counter.every_us)
		c->columns[c->n_columns++] = (struct table_column){"time", CELL_TEXT};
	for (size_t i = 0; i < c->counter.n_fields; i++)
		c->columns[c->n_columns++] = (struct table_column){o->by.items[i], CELL_TEXT};
	c->columns[c->n_columns++] = (struct table_column){"count", CELL_NUMBER};
	c->columns[c->n_columns++] = (struct table_column){"", CELL_BAR};
}

static int open_count(struct count *c, const struct options *o, const atomic_bool *stop)
{
	int r = search_open(&c->search, o, o->pattern, o->fixed, stop);
	if (r < 0)
		return r;
	c->every_us = o->every_us ? o->every_us : o->by.n ? 0 : 60 * NUM_SEC_US;
	r = counter_open(&c->counter, &c->search, o->by.items, o->by.n, c->every_us);
	if (r < 0)
		return r;
	set_columns(c, o);
	r = printer_init(&c->printer, o, NULL);
	c->table = table_new(&c->printer, c->columns, c->n_columns);
	if (r == 0 && !c->table)
		r = -ENOMEM;
	return r < 0 ? search_tell(r, "count") : 0;
}

int count_run(const struct options *o, const atomic_bool *stop)
{
	struct count c = {.table = NULL};
	int r = open_count(&c, o, stop);
	if (r == 0)
		r = counter_run(&c.counter, "--by");
	if (r == 0)
		r = print(&c, o);
	int code = search_exit(&c.search, r);
	counter_close(&c.counter);
	table_free(c.table);
	printer_free(&c.printer);
	search_close(&c.search);
	return code;
}
