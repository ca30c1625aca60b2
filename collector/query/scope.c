/* Where a search looked: see scope.h. Called by search.c when a command that looks for lines ends
 * and has none.
 *
 * A service or host that there is not, as by a slip of the fingers, looks like "nothing found". So
 * when no file at all was chosen, the names in the newest days are looked at again. Fails silently:
 * it only explains. */
#include "collector/query/scope.h"

#include "collector/query/near.h"
#include "common/civil.h"
#include "common/log.h"

#include <inttypes.h>
#include <unistd.h>

enum { DAYS_LOOKED_AT = 32 };

void scope_add(struct scope *s, const struct segments *segments)
{
	int32_t day = segments_day(segments);
	if (segments_count(segments) == 0)
		return;
	if (s->days == 0 || day < s->first_day)
		s->first_day = day;
	if (s->days == 0 || day > s->last_day)
		s->last_day = day;
	s->days++;
	s->files += segments_count(segments);
	s->bytes += segments_bytes(segments);
}

/* --- names --- */

/* One glob against all names of a kind. */
struct question {
	const char *option, *glob;
	bool hosts;
	bool known;
	struct near near;
};

static void ask_segments(struct question *q, const struct segments *segments)
{
	const char *last = NULL;
	for (uint32_t i = 0; i < segments_count(segments) && !q->known; i++) {
		const struct segment *seg = segments_get(segments, i);
		const char *name = q->hosts ? seg->host : seg->service;
		if (name == last)
			continue;
		last = name;
		q->known = listing_chosen(name, &q->glob, 1);
		near_offer(&q->near, span_of(q->glob), span_of(name));
	}
}

static void ask(struct question *q, int archive_fd, const int32_t *days, size_t n_days)
{
	static const struct segment_choice all = {.n_services = 0};
	struct trouble quiet = TROUBLE_NONE; /* it was told before */
	quiet.count = TROUBLE_SHOWN;
	size_t least = n_days > DAYS_LOOKED_AT ? n_days - DAYS_LOOKED_AT : 0;
	for (size_t i = n_days; i > least && !q->known; i--) {
		struct segments *segments;
		if (segments_list(archive_fd, days[i - 1], &all, &quiet, 1, &segments) < 0)
			return;
		ask_segments(q, segments);
		segments_free(segments);
	}
	if (q->known || n_days == 0)
		return;
	char text[NEAR_TEXT_MAX];
	log_warning("%s '%s': no %s in these days has such a name%s", q->option, q->glob,
		    q->hosts ? "host" : "service", near_text(&q->near, text));
}

/* --- */

static void tell_extent(const struct scope *s)
{
	char first[CIVIL_DAY_LEN + 1] = "", last[CIVIL_DAY_LEN + 1] = "";
	if (s->days == 0) {
		log_info("nothing found: no files of such times, services and hosts");
		return;
	}
	civil_format_day(first, s->first_day);
	civil_format_day(last, s->last_day);
	log_info("nothing found in %s%s%s: %zu day%s with %" PRIu64 " file%s, %.1f MiB on disk",
		 first, s->days > 1 ? " to " : "", s->days > 1 ? last : "", s->days,
		 s->days == 1 ? "" : "s", s->files, s->files == 1 ? "" : "s",
		 (double)s->bytes / (1024.0 * 1024.0));
}

void scope_tell(const struct scope *s, int archive_fd, const struct segment_choice *choice,
		const int32_t *days, size_t n_days)
{
	if (isatty(STDERR_FILENO))
		tell_extent(s);
	if (s->files)
		return;
	for (size_t i = 0; i < choice->n_services; i++) {
		struct question q = {.option = "--service", .glob = choice->services[i]};
		ask(&q, archive_fd, days, n_days);
	}
	for (size_t i = 0; i < choice->n_hosts; i++) {
		struct question q = {.option = "--host", .glob = choice->hosts[i], .hosts = true};
		ask(&q, archive_fd, days, n_days);
	}
}
