/* The story of an id: see story.h. Called by trace.
 *
 * Into a pipe, each line stands by itself as it is stored, and what the story adds stands on lines
 * of its own that begin with "# "; on a terminal the times stand in two columns before each
 * line. */
#include "collector/query/story.h"

#include "collector/query/severity.h"
#include "collector/query/style.h"
#include "common/columns.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICES_MAX = 1000, LENGTH_TEXT = 32 };

/* "+12.3 ms" */
static void format_length(char dst[LENGTH_TEXT], int64_t us)
{
	if (us == 0)
		(void)snprintf(dst, LENGTH_TEXT, "+0");
	else if (us < NUM_SEC_US)
		(void)snprintf(dst, LENGTH_TEXT, "+%" PRId64 ".%03d ms", us / 1000,
			       (int)(us % 1000));
	else if (us < 60 * NUM_SEC_US)
		(void)snprintf(dst, LENGTH_TEXT, "+%" PRId64 ".%03d s", us / NUM_SEC_US,
			       (int)(us % NUM_SEC_US / 1000));
	else if (us < 3600 * NUM_SEC_US)
		(void)snprintf(dst, LENGTH_TEXT, "+%dm%02ds", (int)(us / (60 * NUM_SEC_US)),
			       (int)(us / NUM_SEC_US % 60));
	else
		(void)snprintf(dst, LENGTH_TEXT, "+%" PRId64 "h%02dm", us / (3600 * NUM_SEC_US),
			       (int)(us / (60 * NUM_SEC_US) % 60));
}

static struct story_service *service_of(struct story *s, struct span name)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (span_is(name, s->services[i].name))
			return &s->services[i];
	if (s->n_services == SERVICES_MAX)
		return NULL;
	struct story_service *more =
		realloc(s->services, (s->n_services + 1) * sizeof(*s->services));
	if (!more)
		return NULL;
	s->services = more;
	struct story_service *new = &s->services[s->n_services++];
	*new = (struct story_service){.first_us = INT64_MIN};
	(void)snprintf(new->name, sizeof(new->name), "%.*s", (int)name.len, name.ptr);
	return new;
}

/* Adds a name to a list unless it is there. 1: added. */
static int add_host(struct buf *hosts, struct span name, const char *separator)
{
	struct span have = buf_span(hosts);
	size_t sep = strlen(separator);
	for (size_t at = 0; at + name.len <= have.len;) {
		struct span rest = span_from(have, at);
		const char *end = memmem(rest.ptr, rest.len, separator, sep);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
		if (span_equal(span_first(rest, len), name))
			return 0;
		at += len + sep;
	}
	int r = have.len ? buf_add_str(hosts, separator) : 0;
	if (r == 0)
		r = buf_add_span(hosts, name);
	return r < 0 ? r : 1;
}

static void add_time(struct story *s, int64_t time_us)
{
	if (!s->timed) {
		s->timed = true;
		s->first_us = time_us;
	} else if (time_us - s->last_us > s->slowest_us) {
		s->slowest_us = time_us - s->last_us;
		s->slowest_at = s->lines;
	}
	s->last_us = time_us;
}

int story_add(struct story *s, struct span line, struct field_scratch *scratch)
{
	struct columns c;
	int64_t time_us = record_time(line);
	bool is_error = severity_is_error(line, scratch);
	s->lines++;
	s->errors += is_error;
	if (time_us != RECORD_NO_TIME)
		add_time(s, time_us);
	if (!columns_split(line, &c))
		return 0;
	int r = add_host(&s->hosts, c.host, "\n");
	if (r < 0)
		return r;
	s->n_hosts += (size_t)r;
	struct story_service *service = service_of(s, columns_service(&c));
	if (!service)
		return s->n_services < SERVICES_MAX ? -ENOMEM : 0;
	if (service->lines++ == 0)
		service->first_us = time_us;
	service->errors += is_error;
	r = add_host(&service->hosts, c.host, ", ");
	return r < 0 ? r : 0;
}

/* On a terminal: two columns before the line. */
static int print_columns(struct printer *p, const char *since, const char *gap, bool slowest)
{
	const char *on = p->colour ? (slowest ? STYLE_MATCH : STYLE_DIM) : "";
	return printer_text(p, "%12s %s%12s%s%s ", since, on, gap, slowest ? "*" : " ",
			    p->colour ? STYLE_RESET : "");
}

int story_print_line(struct story *s, struct printer *p, struct span line, uint64_t number)
{
	char since[LENGTH_TEXT] = "", gap[LENGTH_TEXT] = "";
	int64_t time_us = record_time(line);
	bool slowest = number == s->slowest_at, timed = time_us != RECORD_NO_TIME;
	int r = 0;
	p->message_style = p->colour && severity_is_error(line, &p->scratch) ? STYLE_ERROR : NULL;
	if (p->output == OUTPUT_TEXT) {
		if (timed)
			format_length(since, time_us - s->first_us);
		if (timed && number > 1 && time_us != s->printed_us)
			format_length(gap, time_us - s->printed_us);
		if (timed)
			s->printed_us = time_us;
		if (p->terminal)
			r = print_columns(p, since, gap, slowest);
		else if (*gap)
			r = printer_text(p, "# %s%s, %s since the start\n", gap,
					 slowest ? " (the slowest gap)" : "", since);
	}
	return r < 0 ? r : printer_line(p, line);
}

static int print_service(const struct story *s, struct printer *p, const struct story_service *one,
			 int width)
{
	char since[LENGTH_TEXT] = "";
	const char *on = p->colour ? style_of_service(span_of(one->name)) : "";
	if (one->first_us != RECORD_NO_TIME)
		format_length(since, one->first_us - s->first_us);
	return printer_text(p, "# %s%-*s%s  %12s  %6" PRIu64 "  %6" PRIu64 "  %.*s\n", on, width,
			    one->name, p->colour ? STYLE_RESET : "", since, one->lines, one->errors,
			    (int)one->hosts.len, one->hosts.ptr);
}

int story_print_sum(const struct story *s, struct printer *p)
{
	char length[LENGTH_TEXT] = "", slowest[LENGTH_TEXT] = "";
	int width = (int)strlen("service");
	if (p->output != OUTPUT_TEXT)
		return 0;
	format_length(length, s->last_us - s->first_us);
	format_length(slowest, s->slowest_us);
	int r = printer_text(p,
			     "# %" PRIu64 " lines, %" PRIu64 " errors, %zu services, %zu hosts, %s",
			     s->lines, s->errors, s->n_services, s->n_hosts, length + 1);
	if (r == 0 && s->slowest_us)
		r = printer_text(p, ", slowest gap %s before line %" PRIu64, slowest + 1,
				 s->slowest_at);
	for (size_t i = 0; i < s->n_services; i++)
		if ((int)strlen(s->services[i].name) > width)
			width = (int)strlen(s->services[i].name);
	if (r == 0)
		r = printer_text(p, "\n# %-*s  %12s  %6s  %6s  %s\n", width, "service", "first",
				 "lines", "errors", "hosts");
	for (size_t i = 0; r == 0 && i < s->n_services; i++)
		r = print_service(s, p, &s->services[i], width);
	return r;
}

void story_free(struct story *s)
{
	for (size_t i = 0; i < s->n_services; i++)
		buf_free(&s->services[i].hosts);
	free(s->services);
	buf_free(&s->hosts);
	*s = (struct story){0};
}
