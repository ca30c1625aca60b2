/* `haul top`: see haul(1).
 *
 *     search all days -> tallies by value -> the greatest N -> rows
 *
 * The values are counted exactly, however many there are; only the greatest N are held in
 * memory. */
#include "collector/query/top.h"

#include "collector/query/counter.h"
#include "collector/query/leaders.h"
#include "collector/query/table.h"

#include <errno.h>
#include <inttypes.h>

enum { ROWS_DEFAULT = 10, ROWS_MAX = 100000 };

struct top {
	struct search search;
	struct counter counter;
	struct printer printer;
	struct table *table;
	struct table_column columns[4];
	struct leaders leaders;
	uint64_t distinct, present; /* values, lines that have the field */
};

static int choose(struct top *t)
{
	struct tally_reader reader;
	struct tally_value value;
	struct span key;
	int r = tally_open(t->counter.tallies, t->counter.n, &reader);
	while (r == 0 && (r = tally_next(&reader, &key, &value)) > 0) {
		struct counter_key split;
		counter_split(&t->counter, key, &split);
		r = 0;
		if (!split.has[0])
			continue;
		t->distinct++;
		t->present += value.count;
		r = leaders_offer(&t->leaders, split.values[0], &value);
	}
	tally_close(&reader);
	return r;
}

static int print(struct top *t)
{
	int r = 0;
	leaders_sort(&t->leaders);
	for (size_t i = 0; r == 0 && i < t->leaders.n; i++) {
		const struct leader *l = &t->leaders.items[i];
		double most = (double)t->leaders.items[0].value.count;
		double count = (double)l->value.count;
		const struct cell cells[4] = {{.text = buf_span(&l->text)},
					      {.number = l->value.count},
					      {.share = count / (double)t->present},
					      {.share = count / most}};
		r = table_add(t->table, cells);
	}
	if (r == 0)
		r = table_flush(t->table);
	if (r == 0 && t->printer.output == OUTPUT_TEXT && t->leaders.n)
		r = printer_text(&t->printer,
				 "# %" PRIu64 " values in %" PRIu64 " of %" PRIu64 " lines\n",
				 t->distinct, t->present, t->counter.lines);
	return r < 0 ? r : printer_flush(&t->printer);
}

static int open_top(struct top *t, const struct options *o, const atomic_bool *stop)
{
	int r = search_open(&t->search, o, o->pattern, o->fixed, stop);
	if (r == 0)
		r = counter_open(&t->counter, &t->search, &o->field, 1, 0);
	if (r < 0)
		return r;
	r = leaders_init(&t->leaders, !o->max             ? ROWS_DEFAULT
				      : o->max < ROWS_MAX ? (size_t)o->max
							  : ROWS_MAX);
	t->columns[0] = (struct table_column){o->field, CELL_TEXT};
	t->columns[1] = (struct table_column){"count", CELL_NUMBER};
	t->columns[2] = (struct table_column){"share", CELL_SHARE};
	t->columns[3] = (struct table_column){"", CELL_BAR};
	if (r == 0)
		r = printer_init(&t->printer, o, NULL);
	t->table = table_new(&t->printer, t->columns, 4);
	if (!t->table)
		r = -ENOMEM;
	return r < 0 ? search_tell(r, "top") : 0;
}

int top_run(const struct options *o, const atomic_bool *stop)
{
	struct top t = {.table = NULL};
	int r = open_top(&t, o, stop);
	if (r == 0)
		r = counter_run(&t.counter, "top");
	if (r == 0) {
		r = choose(&t);
		if (r == 0)
			r = print(&t);
		if (r < 0 && r != -EPIPE)
			(void)search_tell(r, "cannot print the values");
	}
	int code = search_exit(&t.search, r);
	counter_close(&t.counter);
	leaders_free(&t.leaders);
	table_free(t.table);
	printer_free(&t.printer);
	search_close(&t.search);
	return code;
}
