/* Who is asking: see auth.h. Called by request.c before anything of a request is believed.
 *
 * A certificate is verified once a minute and connection, a token at every request: the first costs
 * two signatures, the second one hash. What is remembered of a connection is dropped when the CA
 * changes. */
#include "collector/ingest/auth.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* How long a verified certificate is believed: it may expire meanwhile. */
static const int64_t MEMO_NS = 60 * NUM_SEC_NS;

/* What tells one state of the file from another. A file that is replaced has another inode, one
 * that is edited in place another time or size. */
struct file_mark {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct auth {
	struct tls *tls;
	pthread_mutex_t lock; /* guards all that follows */
	char *path;
	bool anonymous_allowed;
	struct tokens tokens;
	struct file_mark mark;
	struct log_gate unreadable;
};

struct memo {
	uint64_t generation;
	int64_t until_ns;
	struct tls_names names;
};

static struct file_mark mark_of(const char *path)
{
	struct stat st;
	if (!*path || stat(path, &st) < 0)
		return (struct file_mark){0};
	struct file_mark m = {.exists = true,
			      .dev = st.st_dev,
			      .ino = st.st_ino,
			      .size = st.st_size,
			      .mtime = st.st_mtim,
			      .ctime = st.st_ctim};
	return m;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static int read_tokens(const char *path, struct tokens *ret, struct conf_error *err)
{
	if (*path)
		return tokens_read(path, ret, err);
	*ret = (struct tokens){0};
	return 0;
}

/* The mark is taken before the reading: what changes in between is seen next time. */
int auth_reload(struct auth *a, const struct auth_config *config, struct conf_error *err)
{
	char *path = strdup(config->tokens_file);
	if (!path)
		return -ENOMEM;
	struct file_mark mark = mark_of(path);
	struct tokens tokens;
	int r = read_tokens(path, &tokens, err);
	if (r < 0) {
		free(path);
		return r;
	}
	pthread_mutex_lock(&a->lock);
	free(a->path);
	tokens_free(&a->tokens);
	a->path = path;
	a->tokens = tokens;
	a->mark = mark;
	a->anonymous_allowed = config->anonymous_allowed;
	pthread_mutex_unlock(&a->lock);
	return 0;
}

int auth_new(const struct auth_config *config, struct auth **ret, struct conf_error *err)
{
	struct auth *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	pthread_mutex_init(&a->lock, NULL);
	a->tls = config->tls;
	int r = auth_reload(a, config, err);
	if (r < 0) {
		auth_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	free(a->path);
	tokens_free(&a->tokens);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* Under the lock. */
static void follow_file(struct auth *a)
{
	struct file_mark mark = mark_of(a->path);
	if (same_mark(&mark, &a->mark))
		return;
	struct conf_error err;
	struct tokens tokens;
	int r = read_tokens(a->path, &tokens, &err);
	if (r < 0) {
		log_gated(&a->unreadable, LOG_LEVEL_ERROR,
			  "%s; the tokens known before stay in force", err.text);
		return; /* the mark is not taken over: tried again at the next request */
	}
	log_gate_clear(&a->unreadable, "tokens file %s is readable again", a->path);
	tokens_free(&a->tokens);
	a->tokens = tokens;
	a->mark = mark;
}

size_t auth_token_count(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	follow_file(a);
	size_t n = a->tokens.n;
	pthread_mutex_unlock(&a->lock);
	return n;
}

/* --- tokens --- */

static struct span bearer(struct http_exchange *x)
{
	struct span value = span_trim(http_header(x, "Authorization"));
	if (value.len < 7 || strncasecmp(value.ptr, "Bearer ", 7) != 0)
		return (struct span){0};
	return span_trim(span_from(value, 7));
}

static int by_token(struct auth *a, struct http_exchange *x, struct principal *ret,
		    const char **ret_why)
{
	struct span token = bearer(x);
	int r = 0;
	pthread_mutex_lock(&a->lock);
	follow_file(a);
	if (a->tokens.n == 0) {
		ret->kind = PRINCIPAL_ANONYMOUS;
		*ret_why = "there are no tokens yet: haul-collector token add HOST makes "
			   "one";
		r = a->anonymous_allowed ? 0 : -EACCES;
	} else if (token.len == 0) {
		*ret_why = "a token is needed: Authorization: Bearer TOKEN";
		r = -EACCES;
	} else {
		const struct token *found = tokens_find(&a->tokens, token);
		*ret_why = "this token is not known here";
		if (found) {
			ret->kind = PRINCIPAL_TOKEN;
			ret->token = *found;
		}
		r = found ? 0 : -EACCES;
	}
	pthread_mutex_unlock(&a->lock);
	return r;
}

/* --- certificates --- */

static int by_certificate(struct auth *a, struct http_exchange *x, struct principal *ret,
			  const char **ret_why)
{
	struct http_peer *peer = http_peer(x);
	struct memo *memo = peer->memo;
	uint64_t generation = tls_generation(a->tls);
	int64_t now_ns = clock_mono_ns();
	ret->kind = PRINCIPAL_CERTIFICATE;
	if (memo && memo->generation == generation && now_ns < memo->until_ns) {
		ret->names = memo->names;
		return 0;
	}
	int r = tls_peer_names(a->tls, peer->tls, &ret->names, ret_why);
	if (r == -ENOENT) {
		*ret_why = "a client certificate is needed";
		r = -EACCES;
	}
	if (r < 0)
		return r;
	if (!memo)
		peer->memo = memo = malloc(sizeof(*memo));
	if (memo)
		*memo = (struct memo){generation, now_ns + MEMO_NS, ret->names};
	return 0;
}

int auth_identify(struct auth *a, struct http_exchange *x, struct principal *ret,
		  const char **ret_why)
{
	*ret_why = "";
	if (a->tls && tls_asks_clients(a->tls))
		return by_certificate(a, x, ret, ret_why);
	return by_token(a, x, ret, ret_why);
}

bool principal_allows(const struct principal *p, struct span host)
{
	switch (p->kind) {
	case PRINCIPAL_ANONYMOUS: return true;
	case PRINCIPAL_TOKEN: return token_allows(&p->token, host);
	case PRINCIPAL_CERTIFICATE:
		for (size_t i = 0; i < p->names.n; i++)
			if (span_is(host, p->names.name[i]))
				return true;
		return false;
	}
	return false;
}

int auth_operator(struct auth *a, struct http_exchange *x, const char **ret_why)
{
	bool passed_on = http_has_header(x, "Forwarded") || http_has_header(x, "X-Forwarded-For");
	if (http_peer(x)->local && !passed_on)
		return 0;
	struct principal p;
	if (bearer(x).len && by_token(a, x, &p, ret_why) == 0 && p.kind == PRINCIPAL_TOKEN)
		return 0;
	if (http_peer(x)->tls && a->tls && tls_asks_clients(a->tls) &&
	    by_certificate(a, x, &p, ret_why) == 0)
		return 0;
	*ret_why = "only from this machine, or with a token";
	return -EACCES;
}
