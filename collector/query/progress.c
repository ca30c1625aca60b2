/* The progress line: see progress.h. One line on stderr that is written over itself; whoever prints
 * something else clears it first, under the trouble's lock. */
#include "collector/query/progress.h"

#include "common/civil.h"
#include "common/clock.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOW_AFTER_NS (300 * NUM_MS_NS)

static void write_text(const char *text, size_t len)
{
	/* A terminal that is gone is no reason to stop. */
	if (write(STDERR_FILENO, text, len) < 0)
		return;
}

/* With the trouble's lock held. */
static void clear_line(void *user)
{
	struct progress *p = user;
	if (p->shown)
		write_text("\r\033[K", 4);
	p->shown = false;
}

/* Who reads the other end writes to the terminal, too. */
static bool is_pipe(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

void progress_start(struct progress *p, struct trouble *trouble)
{
	p->on = isatty(STDERR_FILENO) && !is_pipe(STDOUT_FILENO);
	p->started_ns = clock_mono_ns();
	p->trouble = trouble;
	trouble->before_message = clear_line;
	trouble->user = p;
}

void progress_day(struct progress *p, size_t day, size_t days, int32_t number, uint64_t total_bytes)
{
	p->day = day;
	p->days = days;
	civil_format_day(p->day_text, number);
	p->day_text[CIVIL_DAY_LEN] = '\0';
	p->total_bytes = total_bytes;
	atomic_store(&p->bytes, 0);
}

static double gib(uint64_t bytes)
{
	return (double)bytes / (1024.0 * 1024.0 * 1024.0);
}

void progress_text(struct progress *p, const char *fmt, ...)
{
	char text[200] = "\r\033[K";
	size_t head = strlen(text);
	va_list args;
	if (!p->on || clock_mono_ns() - p->started_ns < SHOW_AFTER_NS)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text + head, sizeof(text) - head, fmt, args);
	va_end(args);
	pthread_mutex_lock(&p->trouble->lock);
	write_text(text, strlen(text));
	p->shown = true;
	pthread_mutex_unlock(&p->trouble->lock);
}

void progress_show(struct progress *p)
{
	uint64_t bytes = atomic_load(&p->bytes), found = atomic_load(&p->found);
	progress_text(p, "%s (day %zu of %zu): %.1f of %.1f GiB, %" PRIu64 " found", p->day_text,
		      p->day, p->days, gib(bytes), gib(p->total_bytes), found);
}

void progress_clear(struct progress *p)
{
	pthread_mutex_lock(&p->trouble->lock);
	clear_line(p);
	pthread_mutex_unlock(&p->trouble->lock);
}
