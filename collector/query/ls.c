/* `haul ls`: see haul(1). Every chosen segment is read, for lines and times; with --names only
 * directories are.
 *
 *     read a day -> a row a shard, or sums by --by -> print */
#include "collector/query/ls.h"

#include "collector/query/search.h"
#include "collector/query/table.h"
#include "common/array.h"
#include "common/log.h"
#include "common/map.h"

#include <errno.h>
#include <stdlib.h>

/* What was read of a segment, by one thread or, summed up, by all. */
struct extent {
	uint64_t lines, bytes, disk;
	char first[CIVIL_TIME_LEN], last[CIVIL_TIME_LEN]; /* when there are lines */
};

/* A row: of a shard, or of all that have the same --by fields. */
struct row {
	char day[CIVIL_DAY_LEN + 1];
	char service[NAME_MAX_LEN + 1], host[NAME_MAX_LEN + 1]; /* "": summed up over all */
	struct extent extent;
};

/* Rows stay where they are while there come more of them. */
struct row_ref {
	struct row *row;
};

struct worker {
	struct sieve_scratch *sieve;
	struct extent *extents; /* by ordinal */
};

struct ls {
	struct search search;
	struct printer printer;
	struct table *table;
	struct worker workers[SCAN_THREADS_MAX];
	bool by_day, by_service, by_host;
	struct row_ref *rows; /* of the day, or of all days without by_day */
	size_t n_rows, cap_rows;
	struct map by_name; /* the rows */
	struct table_column columns[8];
	size_t n_columns;
};

/* --- reading --- */

static void take_time(struct extent *e, const char *first, const char *last)
{
	if (e->lines == 0 || memcmp(first, e->first, CIVIL_TIME_LEN) < 0)
		memcpy(e->first, first, CIVIL_TIME_LEN);
	if (e->lines == 0 || memcmp(last, e->last, CIVIL_TIME_LEN) > 0)
		memcpy(e->last, last, CIVIL_TIME_LEN);
}

static int take_window(void *worker, struct segments *segments, const struct window *w)
{
	struct worker *me = worker;
	struct extent *e = &me->extents[w->at.segment];
	struct span line;
	int r;
	(void)segments;
	sieve_start(me->sieve, w->lines);
	while ((r = sieve_next(me->sieve, &line)) > 0) {
		if (line.len >= CIVIL_TIME_LEN)
			take_time(e, line.ptr, line.ptr);
		e->lines++;
		e->bytes += line.len + 1;
	}
	return r;
}

/* --- rows --- */

static int compare_rows(const struct row *a, const struct row *b)
{
	int r = strcmp(a->day, b->day);
	if (r == 0)
		r = strcmp(a->service, b->service);
	return r ? r : strcmp(a->host, b->host);
}

static int compare_refs(const void *a, const void *b)
{
	return compare_rows(((const struct row_ref *)a)->row, ((const struct row_ref *)b)->row);
}

static void sum_up(struct extent *to, const struct extent *from)
{
	if (from->lines)
		take_time(to, from->first, from->last);
	to->lines += from->lines;
	to->bytes += from->bytes;
	to->disk += from->disk;
}

static bool same_row(const void *entry, const void *key)
{
	return compare_rows(entry, key) == 0;
}

static uint64_t hash_row(const struct ls *ls, const struct row *row)
{
	return map_hash(&ls->by_name, span_of(row->day)) +
	       3 * map_hash(&ls->by_name, span_of(row->service)) +
	       5 * map_hash(&ls->by_name, span_of(row->host));
}

static int add_row(struct ls *ls, const struct row *key, struct row **ret)
{
	int r = array_room(&ls->rows, ls->n_rows, &ls->cap_rows, sizeof(*ls->rows));
	if (r < 0)
		return r;
	struct row *row = malloc(sizeof(*row));
	if (!row)
		return -ENOMEM;
	*row = *key;
	r = map_add(&ls->by_name, hash_row(ls, row), row);
	if (r < 0) {
		free(row);
		return r;
	}
	ls->rows[ls->n_rows++].row = row;
	*ret = row;
	return 0;
}

/* The row of that shard, made if need be. */
static int row_of(struct ls *ls, const char *day, const struct segment *seg, struct row **ret)
{
	struct row key = {.day = ""};
	if (ls->by_day)
		(void)snprintf(key.day, sizeof(key.day), "%s", day);
	if (ls->by_service)
		(void)snprintf(key.service, sizeof(key.service), "%s", seg->service);
	if (ls->by_host)
		(void)snprintf(key.host, sizeof(key.host), "%s", seg->host);
	*ret = map_find(&ls->by_name, hash_row(ls, &key), &key);
	return *ret ? 0 : add_row(ls, &key, ret);
}

static void forget_rows(struct ls *ls)
{
	for (size_t i = 0; i < ls->n_rows; i++)
		free(ls->rows[i].row);
	ls->n_rows = 0;
	map_free(&ls->by_name);
}

static int add_segments(struct ls *ls, const struct segments *segments)
{
	char day[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(day, segments_day(segments));
	for (uint32_t i = 0; i < segments_count(segments); i++) {
		const struct segment *seg = segments_get(segments, i);
		struct row *row;
		int r = row_of(ls, day, seg, &row);
		if (r < 0)
			return r;
		row->extent.disk += seg->size;
		for (unsigned k = 0; k < ls->search.threads; k++)
			sum_up(&row->extent, &ls->workers[k].extents[i]);
	}
	return 0;
}

static void add_cell(struct cell *cells, size_t *n, bool wanted, struct cell cell)
{
	if (wanted)
		cells[(*n)++] = cell;
}

static int print_rows(struct ls *ls)
{
	int r = 0;
	if (ls->n_rows)
		qsort(ls->rows, ls->n_rows, sizeof(*ls->rows), compare_refs);
	for (size_t i = 0; r == 0 && i < ls->n_rows; i++) {
		const struct row *row = ls->rows[i].row;
		const struct extent *e = &row->extent;
		size_t time_len = e->lines ? CIVIL_TIME_LEN : 0, n = 0;
		struct cell cells[TABLE_COLUMNS_MAX] = {{.number = 0}};
		add_cell(cells, &n, ls->by_day, (struct cell){.text = span_of(row->day)});
		add_cell(cells, &n, ls->by_service, (struct cell){.text = span_of(row->service)});
		add_cell(cells, &n, ls->by_host, (struct cell){.text = span_of(row->host)});
		add_cell(cells, &n, true, (struct cell){.number = e->lines});
		add_cell(cells, &n, true, (struct cell){.number = e->bytes});
		add_cell(cells, &n, true, (struct cell){.number = e->disk});
		add_cell(cells, &n, true, (struct cell){.text = span_make(e->first, time_len)});
		add_cell(cells, &n, true, (struct cell){.text = span_make(e->last, time_len)});
		r = table_add(ls->table, cells);
	}
	forget_rows(ls);
	return r < 0 ? r : table_flush(ls->table);
}

static void set_columns(struct ls *ls)
{
	const struct {
		bool wanted;
		struct table_column column;
	} all[] = {
		{ls->by_day, {"day", CELL_TEXT}},   {ls->by_service, {"service", CELL_TEXT}},
		{ls->by_host, {"host", CELL_TEXT}}, {true, {"lines", CELL_NUMBER}},
		{true, {"bytes", CELL_BYTES}},      {true, {"disk", CELL_BYTES}},
		{true, {"first", CELL_TEXT}},       {true, {"last", CELL_TEXT}},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].wanted)
			ls->columns[ls->n_columns++] = all[i].column;
}

/* --- the days --- */

static int read_day(struct ls *ls, struct segments *segments)
{
	static const struct scan_ops ops = {.window = take_window};
	void *workers[SCAN_THREADS_MAX];
	int r = 0;
	for (unsigned i = 0; i < ls->search.threads; i++) {
		workers[i] = &ls->workers[i];
		ls->workers[i].extents =
			calloc(segments_count(segments) + 1, sizeof(struct extent));
		if (!ls->workers[i].extents)
			r = search_tell(-ENOMEM, "ls");
	}
	if (r == 0)
		r = search_scan(&ls->search, segments, &ops, workers);
	if (r == 0) {
		r = add_segments(ls, segments);
		if (r < 0)
			(void)search_tell(r, "ls");
	}
	for (unsigned i = 0; i < ls->search.threads; i++)
		free(ls->workers[i].extents);
	return r;
}

static int list_days(struct ls *ls)
{
	int r = 0;
	for (size_t day = 0; r == 0 && day < ls->search.n_days && !search_stopped(&ls->search);
	     day++) {
		struct segments *segments;
		r = search_list(&ls->search, day, &segments);
		if (r < 0)
			return r;
		r = read_day(ls, segments);
		segments_free(segments);
		if (r == 0 && ls->by_day) {
			r = print_rows(ls);
			if (r < 0 && r != -EPIPE)
				return search_tell(r, "cannot print");
		}
	}
	return r == 0 ? print_rows(ls) : r;
}

/* --- names --- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct name_set {
	char **items;
	size_t n, cap;
	struct map map;
};

static bool same_name(const void *entry, const void *key)
{
	return strcmp(entry, key) == 0;
}

static int add_name(struct name_set *set, const char *name)
{
	uint64_t hash = map_hash(&set->map, span_of(name));
	if (map_find(&set->map, hash, name))
		return 0;
	int r = array_room(&set->items, set->n, &set->cap, sizeof(*set->items));
	if (r < 0)
		return r;
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	set->items[set->n++] = copy;
	return map_add(&set->map, hash, copy);
}

static int gather_names(struct ls *ls, enum names what, struct name_set *set)
{
	for (size_t day = 0; day < ls->search.n_days; day++) {
		struct segments *segments;
		char text[CIVIL_DAY_LEN + 1] = "";
		int r = search_list(&ls->search, day, &segments);
		if (r < 0)
			return r;
		civil_format_day(text, segments_day(segments));
		for (uint32_t i = 0; r == 0 && i < segments_count(segments); i++) {
			const struct segment *seg = segments_get(segments, i);
			r = add_name(set, what == NAMES_SERVICES ? seg->service
					  : what == NAMES_HOSTS  ? seg->host
								 : text);
		}
		segments_free(segments);
		if (r < 0)
			return search_tell(r, "ls");
	}
	return 0;
}

static int list_names(struct ls *ls, enum names what)
{
	struct name_set set = {.items = NULL};
	map_init(&set.map, same_name);
	int r = gather_names(ls, what, &set);
	if (r == 0 && set.n)
		qsort(set.items, set.n, sizeof(*set.items), compare_names);
	for (size_t i = 0; r == 0 && i < set.n; i++)
		r = printer_text(&ls->printer, "%s\n", set.items[i]);
	for (size_t i = 0; i < set.n; i++)
		free(set.items[i]);
	free(set.items);
	map_free(&set.map);
	return r < 0 ? r : printer_flush(&ls->printer);
}

/* --- */

static bool take_by(struct ls *ls, const struct option_list *by)
{
	if (by->n == 0)
		ls->by_day = ls->by_service = ls->by_host = true;
	for (size_t i = 0; i < by->n; i++) {
		struct span name = span_of(by->items[i]);
		if (span_is(name, "day"))
			ls->by_day = true;
		else if (span_is(name, "service"))
			ls->by_service = true;
		else if (span_is(name, "host"))
			ls->by_host = true;
		else {
			log_error("--by '%s': ls sums up by day, service or host", by->items[i]);
			return false;
		}
	}
	return true;
}

static int open_ls(struct ls *ls, const struct options *o, const atomic_bool *stop)
{
	int r = search_open(&ls->search, o, NULL, false, stop);
	if (r < 0)
		return r;
	r = printer_init(&ls->printer, o, NULL);
	for (unsigned i = 0; r == 0 && i < ls->search.threads; i++) {
		ls->workers[i].sieve = sieve_scratch_new(&ls->search.sieve);
		if (!ls->workers[i].sieve)
			r = -ENOMEM;
	}
	set_columns(ls);
	ls->table = table_new(&ls->printer, ls->columns, ls->n_columns);
	if (!ls->table)
		r = -ENOMEM;
	return r < 0 ? search_tell(r, "ls") : 0;
}

int ls_run(const struct options *o, const atomic_bool *stop)
{
	struct ls ls = {.by_day = false};
	map_init(&ls.by_name, same_row);
	if (!take_by(&ls, &o->by))
		return EXIT_WRONG;
	int r = open_ls(&ls, o, stop);
	if (r == 0)
		r = o->names ? list_names(&ls, o->names) : list_days(&ls);
	int code = search_exit(&ls.search, r);
	for (unsigned i = 0; i < SCAN_THREADS_MAX; i++)
		sieve_scratch_free(ls.workers[i].sieve);
	forget_rows(&ls);
	free(ls.rows);
	table_free(ls.table);
	printer_free(&ls.printer);
	search_close(&ls.search);
	return code;
}
