/* A page of metrics: see metrics.h. Called by the status pages of agent and collector.
 *
 * Invariant: the page is valid whatever a label's value holds (paths may be any bytes): what the
 * format or UTF-8 does not allow is escaped. Names and help texts are our own. */
#include "common/metrics.h"

#include "common/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* `text` as the format wants it inside quotes (or, without quotes, in a help line). Bytes that are
 * not UTF-8 become \xNN, the backslash itself escaped. */
static int add_escaped(struct buf *out, struct span text, bool quotes)
{
	while (text.len) {
		uint32_t code;
		size_t len = utf8_take(text, &code);
		int r;
		if (len == 0)
			r = buf_printf(out, "\\\\x%02x", (unsigned)(uint8_t)text.ptr[0]);
		else if (code == '\n')
			r = buf_add_str(out, "\\n");
		else if (code == '\\')
			r = buf_add_str(out, "\\\\");
		else if (code == '"' && quotes)
			r = buf_add_str(out, "\\\"");
		else
			r = buf_add(out, text.ptr, len);
		if (r < 0)
			return r;
		text = span_from(text, len ? len : 1);
	}
	return 0;
}

static int add_head(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	const char *type_name = type == METRIC_COUNTER ? "counter" : "gauge";
	int r = buf_printf(out, "# HELP %s ", name);
	if (r == 0)
		r = add_escaped(out, span_of(help), false);
	if (r == 0)
		r = buf_printf(out, "\n# TYPE %s %s\n", name, type_name);
	return r;
}

static int add_sample(struct buf *out, const char *name, const char *label, struct span value,
		      const char *number)
{
	int r = buf_add_str(out, name);
	if (r == 0 && label) {
		r = buf_printf(out, "{%s=\"", label);
		if (r == 0)
			r = add_escaped(out, value, true);
		if (r == 0)
			r = buf_add_str(out, "\"}");
	}
	return r < 0 ? r : buf_printf(out, " %s\n", number);
}

int metrics_head(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	size_t before = out->len;
	int r = add_head(out, name, type, help);
	if (r < 0)
		out->len = before;
	return r;
}

static int sample(struct buf *out, const char *name, const char *label, struct span value,
		  const char *number)
{
	size_t before = out->len;
	int r = add_sample(out, name, label, value, number);
	if (r < 0)
		out->len = before;
	return r;
}

int metrics_u64(struct buf *out, const char *name, const char *label, struct span value, uint64_t v)
{
	char number[24];
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)v);
	return sample(out, name, label, value, number);
}

/* The fewest digits that read back to the same number. */
static void format_double(char dst[40], double v)
{
	for (int digits = 6; digits <= 17; digits++) {
		(void)snprintf(dst, 40, "%.*g", digits, v);
		if (strtod(dst, NULL) == v)
			return;
	}
}

int metrics_double(struct buf *out, const char *name, const char *label, struct span value,
		   double v)
{
	char number[40];
	if (isnan(v))
		strcpy(number, "NaN");
	else if (isinf(v))
		strcpy(number, v > 0 ? "+Inf" : "-Inf");
	else
		format_double(number, v);
	return sample(out, name, label, value, number);
}
