/* Rows: see table.h. Used by count, top, patterns and ls.
 *
 * Text rows are held back until there are ROWS_HELD of them or the table ends, and are then printed
 * as wide as the widest so far: memory stays bounded, and short tables come out straight. */
#include "collector/query/table.h"

#include "collector/query/style.h"
#include "common/json.h"
#include "common/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ROWS_HELD = 2000,
	BAR_WIDTH = 30,
};

struct table {
	struct printer *printer;
	const struct table_column *columns;
	size_t n;
	size_t widths[TABLE_COLUMNS_MAX];
	bool headed;
	struct buf held; /* cells of text, each with a NUL behind it */
	size_t rows;
	struct buf text; /* of one cell */
};

struct table *table_new(struct printer *printer, const struct table_column *columns, size_t n)
{
	struct table *t = n <= TABLE_COLUMNS_MAX ? calloc(1, sizeof(*t)) : NULL;
	if (!t)
		return NULL;
	t->printer = printer;
	t->columns = columns;
	t->n = n;
	for (size_t i = 0; i < n; i++)
		t->widths[i] = strlen(columns[i].name);
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	buf_free(&t->held);
	buf_free(&t->text);
	free(t);
}

static int put(struct buf *out, int r, const char *text)
{
	return r < 0 ? r : buf_add_str(out, text);
}

/* --- JSON and CSV --- */

static int add_json_value(struct buf *out, enum cell_kind kind, const struct cell *c)
{
	switch (kind) {
	case CELL_TEXT:
		return c->text.len ? json_add_string(out, c->text) : buf_add_str(out, "null");
	case CELL_NUMBER:
	case CELL_BYTES: return buf_add_u64(out, c->number);
	case CELL_SHARE: return buf_printf(out, "%.6f", c->share);
	case CELL_BAR: break;
	}
	return 0;
}

static int add_json_row(struct table *t, const struct cell *cells)
{
	struct buf *out = &t->printer->out;
	const char *before = "{";
	int r = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->columns[i].kind == CELL_BAR)
			continue;
		r = put(out, r, before);
		if (r == 0)
			r = json_add_string(out, span_of(t->columns[i].name));
		r = put(out, r, ":");
		if (r == 0)
			r = add_json_value(out, t->columns[i].kind, &cells[i]);
		before = ",";
	}
	return put(out, r, "}\n");
}

static int add_csv_text(struct buf *out, struct span text)
{
	bool plain = true;
	for (size_t i = 0; plain && i < text.len; i++)
		plain = !strchr(",\"\r\n", text.ptr[i]) || text.ptr[i] == '\0';
	if (plain)
		return buf_add_span(out, text);
	int r = buf_add_char(out, '"');
	for (size_t i = 0; r == 0 && i < text.len; i++) {
		if (text.ptr[i] == '"')
			r = buf_add_char(out, '"');
		if (r == 0)
			r = buf_add_char(out, text.ptr[i]);
	}
	return r < 0 ? r : buf_add_char(out, '"');
}

static int add_csv_row(struct table *t, const struct cell *cells)
{
	struct buf *out = &t->printer->out;
	const char *before = "";
	int r = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->columns[i].kind == CELL_BAR)
			continue;
		r = put(out, r, before);
		if (r < 0)
			return r;
		if (!cells)
			r = buf_add_str(out, t->columns[i].name);
		else if (t->columns[i].kind == CELL_TEXT)
			r = add_csv_text(out, cells[i].text);
		else
			r = add_json_value(out, t->columns[i].kind, &cells[i]);
		before = ",";
	}
	return put(out, r, "\n");
}

/* --- text --- */

static size_t display_width(struct span s)
{
	size_t width = 0;
	while (s.len) {
		uint32_t code;
		size_t len = utf8_take(s, &code);
		s = span_from(s, len ? len : 1);
		width++;
	}
	return width;
}

static int format_bytes(struct buf *out, uint64_t bytes, bool human)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = (double)bytes;
	size_t unit = 0;
	if (!human)
		return buf_add_u64(out, bytes);
	while (v >= 1024 && unit < 5) {
		v /= 1024;
		unit++;
	}
	return buf_printf(out, unit ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

static int format_bar(struct buf *out, double share)
{
	/* Eighths of a block. */
	static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	unsigned eighths = (unsigned)(share * BAR_WIDTH * 8 + 0.5);
	int r = 0;
	for (; r == 0 && eighths >= 8; eighths -= 8)
		r = buf_add_str(out, "█");
	return put(out, r, parts[eighths]);
}

static int format_cell(struct table *t, size_t i, const struct cell *c)
{
	struct buf *out = &t->text;
	buf_clear(out);
	switch (t->columns[i].kind) {
	case CELL_TEXT:
		return c->text.len ? style_add_harmless(out, c->text) : buf_add_char(out, '-');
	case CELL_NUMBER: return buf_add_u64(out, c->number);
	case CELL_BYTES: return format_bytes(out, c->number, t->printer->terminal);
	case CELL_SHARE: return buf_printf(out, "%.1f%%", 100 * c->share);
	case CELL_BAR: return t->printer->terminal ? format_bar(out, c->share) : 0;
	}
	return -EINVAL;
}

static int add_padded(struct table *t, size_t i, struct span text)
{
	struct buf *out = &t->printer->out;
	enum cell_kind kind = t->columns[i].kind;
	bool right = kind == CELL_NUMBER || kind == CELL_BYTES || kind == CELL_SHARE;
	size_t width = display_width(text);
	size_t pad = t->widths[i] > width ? t->widths[i] - width : 0;
	int r = i ? buf_add_str(out, "  ") : 0;
	for (size_t k = 0; r == 0 && right && k < pad; k++)
		r = buf_add_char(out, ' ');
	if (r == 0)
		r = buf_add_span(out, text);
	/* No blanks at the end of a line. */
	for (size_t k = 0; r == 0 && !right && i + 1 < t->n && k < pad; k++)
		r = buf_add_char(out, ' ');
	return r;
}

static int add_head(struct table *t)
{
	int r = 0;
	t->headed = true;
	if (t->printer->colour)
		r = buf_add_str(&t->printer->out, STYLE_BOLD);
	for (size_t i = 0; r == 0 && i < t->n; i++)
		if (t->columns[i].kind != CELL_BAR)
			r = add_padded(t, i, span_of(t->columns[i].name));
	return put(&t->printer->out, r, t->printer->colour ? STYLE_RESET "\n" : "\n");
}

static int print_held(struct table *t)
{
	int r = t->headed || t->rows == 0 ? 0 : add_head(t);
	const char *at = t->held.ptr;
	for (size_t row = 0; r == 0 && row < t->rows; row++) {
		for (size_t i = 0; r == 0 && i < t->n; i++) {
			struct span text = span_of(at);
			at += text.len + 1;
			if (t->columns[i].kind != CELL_BAR || text.len)
				r = add_padded(t, i, text);
		}
		r = put(&t->printer->out, r, "\n");
		if (r == 0 && t->printer->out.len > 65536)
			r = printer_flush(t->printer);
	}
	buf_clear(&t->held);
	t->rows = 0;
	return r;
}

static int hold_row(struct table *t, const struct cell *cells)
{
	for (size_t i = 0; i < t->n; i++) {
		int r = format_cell(t, i, &cells[i]);
		size_t width = display_width(buf_span(&t->text));
		if (r == 0)
			r = buf_add_span(&t->held, buf_span(&t->text));
		if (r == 0)
			r = buf_add_char(&t->held, '\0');
		if (r < 0)
			return r;
		if (width > t->widths[i])
			t->widths[i] = width;
	}
	return ++t->rows >= ROWS_HELD ? print_held(t) : 0;
}

int table_add(struct table *t, const struct cell *cells)
{
	int r = 0;
	switch (t->printer->output) {
	case OUTPUT_JSON: r = add_json_row(t, cells); break;
	case OUTPUT_CSV:
		if (!t->headed)
			r = add_csv_row(t, NULL);
		t->headed = true;
		if (r == 0)
			r = add_csv_row(t, cells);
		break;
	case OUTPUT_TEXT:
	case OUTPUT_RAW: return hold_row(t, cells);
	}
	return r < 0 || t->printer->out.len < 65536 ? r : printer_flush(t->printer);
}

int table_flush(struct table *t)
{
	int r = print_held(t);
	return r < 0 ? r : printer_flush(t->printer);
}
