/* The ferry: see ferry.h. Its two ends are used by two shippers, in two threads.
 *
 * Near to far go messages, in order. Far to near goes one body at a time, which is offered, then
 * taken; and the wish to hear the list of streams. A body is taken only when the far side has read
 * all its messages: so none leaves that was cut before the far side knew of a new session or of
 * where its streams stand.
 *
 * Failure modes: memory for a message is short, or there are too many: the far side drops what it
 * has in hand and asks for its streams again, which tells it all that the message could have. */
#include "agent/ship/ferry.h"

#include "common/list.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	MESSAGES_MAX = 100000
}; /* while the far side hangs the near one may list streams again and again */

enum kind { KEEPS, ROW, ROWS_END, VERDICT, ANSWERED, TOO_LARGE, LOST };

struct message {
	struct list_node node;
	enum kind kind;
	int64_t keeps_ns; /* KEEPS */
	size_t index;     /* VERDICT */
	struct chunk_verdict verdict;
	char *text; /* ROW: as the collector wrote it; VERDICT, TOO_LARGE: why; NULL: none */
};

struct ferry {
	int near_fd, far_fd; /* eventfds */

	pthread_mutex_t lock; /* guards what follows; a leaf */
	struct list messages; /* near to far; the first is being told, or is told next */
	size_t n_messages;
	bool short_of_memory; /* some are missing */
	struct span body;
	bool offered; /* body may be taken */
	bool wants_resync;

	/* the far side's own */
	struct uplink_calls calls;
	enum uplink_state state;
};

static void wake(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));
	(void)n; /* it fails only when it is awake for ever */
}

static void woken(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));
	(void)n;
}

int ferry_new(struct ferry **ret)
{
	struct ferry *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	list_init(&f->messages);
	pthread_mutex_init(&f->lock, NULL);
	f->state = UPLINK_LISTING;
	f->near_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->far_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->near_fd < 0 || f->far_fd < 0) {
		int r = -errno;
		ferry_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

static void drop(struct message *m)
{
	free(m->text);
	free(m);
}

void ferry_free(struct ferry *f)
{
	if (!f)
		return;
	struct list_node *next;
	for (struct list_node *n = list_first(&f->messages); n; n = next) {
		next = list_next(&f->messages, n);
		drop(LIST_ENTRY(n, struct message, node));
	}
	if (f->near_fd >= 0)
		close(f->near_fd);
	if (f->far_fd >= 0)
		close(f->far_fd);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* --- the near side --- */

int ferry_near_fd(const struct ferry *f)
{
	return f->near_fd;
}

void ferry_near_woken(struct ferry *f)
{
	woken(f->near_fd);
}

void ferry_wake_near(struct ferry *f)
{
	wake(f->near_fd);
}

void ferry_wake_far(struct ferry *f)
{
	wake(f->far_fd);
}

bool ferry_take(struct ferry *f, struct span *ret)
{
	pthread_mutex_lock(&f->lock);
	bool taken = f->offered && list_empty(&f->messages) && !f->short_of_memory;
	if (taken) {
		*ret = f->body;
		f->offered = false;
	}
	pthread_mutex_unlock(&f->lock);
	return taken;
}

bool ferry_wants_resync(struct ferry *f)
{
	pthread_mutex_lock(&f->lock);
	bool wants = f->wants_resync;
	f->wants_resync = false;
	pthread_mutex_unlock(&f->lock);
	return wants;
}

static void say(struct ferry *f, const struct message *what, const char *text)
{
	struct message *m = malloc(sizeof(*m));
	if (m) {
		*m = *what;
		m->text = text ? strdup(text) : NULL;
	}
	pthread_mutex_lock(&f->lock);
	if (m && (m->text || !text) && f->n_messages < MESSAGES_MAX) {
		list_add_last(&f->messages, &m->node);
		f->n_messages++;
	} else {
		if (m)
			free(m->text);
		f->short_of_memory = true;
		free(m);
	}
	pthread_mutex_unlock(&f->lock);
	wake(f->far_fd);
}

void ferry_keeps(struct ferry *f, int64_t keeps_ns)
{
	say(f, &(struct message){.kind = KEEPS, .keeps_ns = keeps_ns}, NULL);
}

void ferry_row(struct ferry *f, const struct stream_row *row)
{
	struct buf text = BUF_EMPTY;
	const char *line = stream_row_encode(row, &text) == 0 ? buf_cstr(&text) : NULL;
	if (line) {
		say(f, &(struct message){.kind = ROW}, line);
	} else {
		pthread_mutex_lock(&f->lock);
		f->short_of_memory = true;
		pthread_mutex_unlock(&f->lock);
	}
	buf_free(&text);
}

void ferry_rows_end(struct ferry *f)
{
	say(f, &(struct message){.kind = ROWS_END}, NULL);
}

void ferry_verdict(struct ferry *f, size_t index, const struct chunk_verdict *v)
{
	say(f, &(struct message){.kind = VERDICT, .index = index, .verdict = *v}, v->error);
}

void ferry_answered(struct ferry *f)
{
	say(f, &(struct message){.kind = ANSWERED}, NULL);
}

void ferry_too_large(struct ferry *f, const char *why)
{
	say(f, &(struct message){.kind = TOO_LARGE}, why);
}

void ferry_lost(struct ferry *f)
{
	say(f, &(struct message){.kind = LOST}, NULL);
}

/* --- the far side --- */

int ferry_far_fd(const struct ferry *f)
{
	return f->far_fd;
}

static enum uplink_state far_state(const void *self)
{
	const struct ferry *f = self;
	return f->state;
}

/* What is wrong is the near side's to say. */
static const char *far_problem(const void *self)
{
	(void)self;
	return NULL;
}

static void far_send(void *self, struct span body)
{
	struct ferry *f = self;
	f->state = UPLINK_SENDING;
	pthread_mutex_lock(&f->lock);
	f->body = body;
	f->offered = true;
	pthread_mutex_unlock(&f->lock);
	wake(f->near_fd);
}

static void far_resync(void *self)
{
	struct ferry *f = self;
	f->state = UPLINK_LISTING;
	pthread_mutex_lock(&f->lock);
	f->wants_resync = true;
	pthread_mutex_unlock(&f->lock);
	wake(f->near_fd);
}

/* What is on its way will not arrive; what was offered is not to be taken any more. */
static void give_up(struct ferry *f)
{
	pthread_mutex_lock(&f->lock);
	f->offered = false;
	pthread_mutex_unlock(&f->lock);
	f->calls.session_lost(f->calls.user);
}

static void tell_row(struct ferry *f, const char *text)
{
	struct buf scratch = BUF_EMPTY;
	struct stream_row row;
	const char *why;
	if (stream_row_decode(span_of(text), &scratch, &row, &why) == 0)
		f->calls.row(f->calls.user, &row);
	buf_free(&scratch);
}

static void tell(struct ferry *f, struct message *m)
{
	switch (m->kind) {
	case KEEPS: f->calls.keeps(f->calls.user, m->keeps_ns); break;
	case ROW: tell_row(f, m->text); break;
	case ROWS_END:
		if (f->state == UPLINK_SENDING)
			give_up(f);
		f->state = UPLINK_READY;
		f->calls.rows_end(f->calls.user);
		break;
	case VERDICT:
		m->verdict.error = m->text;
		f->calls.verdict(f->calls.user, m->index, &m->verdict);
		break;
	case ANSWERED:
		f->state = UPLINK_READY;
		f->calls.answered(f->calls.user);
		break;
	case TOO_LARGE:
		f->state = UPLINK_READY;
		f->calls.too_large(f->calls.user, m->text);
		break;
	case LOST:
		f->state = UPLINK_LISTING;
		give_up(f);
		break;
	}
}

static void far_tick(void *self, int64_t now_ns)
{
	struct ferry *f = self;
	(void)now_ns;
	woken(f->far_fd);
	for (;;) {
		pthread_mutex_lock(&f->lock);
		/* The message stays on the list while it is told: until then nothing that was
		 * offered is taken. */
		struct list_node *n = list_first(&f->messages);
		bool missing = !n && f->short_of_memory;
		f->short_of_memory = f->short_of_memory && !missing;
		pthread_mutex_unlock(&f->lock);
		if (missing) {
			give_up(f);
			far_resync(f);
		}
		if (!n)
			return;
		struct message *m = LIST_ENTRY(n, struct message, node);
		tell(f, m);
		pthread_mutex_lock(&f->lock);
		list_remove(&m->node);
		f->n_messages--;
		pthread_mutex_unlock(&f->lock);
		drop(m);
	}
}

static int64_t far_next_ns(const void *self)
{
	(void)self;
	return INT64_MAX; /* it is woken */
}

struct way ferry_way(struct ferry *f, const struct uplink_calls *calls)
{
	f->calls = *calls;
	return (struct way){
		.state = far_state,
		.problem = far_problem,
		.send = far_send,
		.resync = far_resync,
		.tick = far_tick,
		.next_ns = far_next_ns,
		.self = f,
	};
}
