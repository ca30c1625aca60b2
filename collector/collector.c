/* The collector as it runs: see collector.h. Called by main.
 *
 * Threads: this one waits for signals, ticks and the keeper; the server's pool receives and works;
 * the keeper opens and closes the store; the store has its own. Signals are blocked in all of them
 * and read here from a descriptor, so that nothing ever runs in a handler.
 *
 * Start: the store is opened (recovery), then the server listens, then the service manager hears
 * "ready". Stop: no new connections, no new requests; what has begun is finished, at most DRAIN_NS;
 * the store answers what it still has and closes; then the server closes. Acknowledged is on disk
 * at any moment, so a kill at any point of this loses nothing; the order is for the agents'
 * comfort.
 * Reload: all that can be wrong is tried before anything is changed. */
#include "collector/collector.h"

#include "collector/ingest/health.h"
#include "collector/ingest/request.h"
#include "collector/ingest/scratch.h"
#include "collector/keeper.h"
#include "collector/policy.h"
#include "collector/process.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_CONFIG = 78 };

static const int64_t TICK_NS = 250 * NUM_MS_NS;
static const int64_t DRAIN_NS = 7 * NUM_SEC_NS;

/* The times of a connection (conns.h). */
static const int64_t FRESH_NS = 20 * NUM_SEC_NS;
static const int64_t IDLE_NS = 120 * NUM_SEC_NS;
static const int64_t STALL_NS = 30 * NUM_SEC_NS;
static const int64_t ANSWER_NS = 60 * NUM_SEC_NS;
enum { BODY_RATE = 256, PRESSED_RATE = 16 << 10 };

/* Of the memory that batches may take, a quarter is for bodies as they came. */
enum { RECEIVING_SHARE = 4 };

struct collector {
	struct options *options;
	const char *path;
	bool optional;
	int signals;

	/* guards what follows, which the store and the janitor ask for */
	pthread_rwlock_t policy_lock;
	struct policy *policy;
	struct janitor_settings janitor;

	/* these three are as they were at the start, whatever a reload says */
	char *data_dir;
	char *listen;
	bool on_loopback;

	struct tls *tls; /* NULL: plain */
	struct intake intake;
	struct keeper *keeper;
	struct http *http;
	bool stopping;
	bool told_ready; /* the last that was said aloud */
	bool abandoned;  /* the keeper still runs: nothing may be freed */
	int64_t next_watchdog_ns;
};

/* --- retention --- */

static int32_t oldest_day(void *user, struct span service, int64_t now_us)
{
	struct collector *c = user;
	pthread_rwlock_rdlock(&c->policy_lock);
	int32_t day = policy_oldest_day(c->policy, service, now_us);
	pthread_rwlock_unlock(&c->policy_lock);
	return day;
}

static const struct policy *policy_get(void *user)
{
	struct collector *c = user;
	pthread_rwlock_rdlock(&c->policy_lock);
	return c->policy;
}

static void policy_put(void *user)
{
	struct collector *c = user;
	pthread_rwlock_unlock(&c->policy_lock);
}

static void set_policy(struct collector *c, struct policy *policy, struct janitor_settings janitor)
{
	pthread_rwlock_wrlock(&c->policy_lock);
	struct policy *old = c->policy;
	c->policy = policy;
	c->janitor = janitor;
	pthread_rwlock_unlock(&c->policy_lock);
	policy_free(old);
}

/* --- what options say --- */

static struct store_config store_config(struct collector *c, const struct options *o)
{
	return (struct store_config){.data_dir = c->data_dir,
				     .segment_bytes = o->collector->segment_bytes,
				     .min_free = o->collector->min_free,
				     .host_files = o->collector->max_host_files,
				     .close_after_ns = o->collector->seal_after_ns,
				     .oldest_day = oldest_day,
				     .user = c};
}

/* The janitor asks from its own thread, in each pass. */
static void janitor_settings(void *user, struct janitor_settings *ret)
{
	struct collector *c = user;
	pthread_rwlock_rdlock(&c->policy_lock);
	*ret = c->janitor;
	pthread_rwlock_unlock(&c->policy_lock);
}

static struct janitor_settings settings_of(const struct options *o)
{
	static const enum segment_form forms[] = {[SEAL_ZSTD] = SEGMENT_ZSTD,
						  [SEAL_GZIP] = SEGMENT_GZIP,
						  [SEAL_NONE] = SEGMENT_CLOSED};
	uint64_t level = 0; /* auto */
	(void)!num_parse_u64(span_of(o->collector->seal_level), &level);
	return (struct janitor_settings){.form = forms[o->collector->seal],
					 .level = (int)level,
					 .expire = o->collector->on_full == ON_FULL_EXPIRE,
					 .min_free = o->collector->min_free};
}

static struct janitor_config janitor_config(struct collector *c)
{
	return (struct janitor_config){.settings = janitor_settings,
				       .policy_get = policy_get,
				       .policy_put = policy_put,
				       .user = c,
				       .meters = &c->intake.archive};
}

static struct auth_config auth_config(const struct collector *c, const struct options *o)
{
	return (struct auth_config){.tokens_file = o->auth->tokens_file,
				    .anonymous_allowed = o->collector->insecure || c->on_loopback,
				    .tls = c->tls};
}

static struct tls_files tls_files(const struct options *o)
{
	return (struct tls_files){o->tls->cert, o->tls->key, o->tls->client_ca};
}

/* Half of the descriptors are for connections, the rest for shards. */
static unsigned connection_limit(const struct options *o)
{
	uint64_t wanted = o->collector->max_connections, files = process_raise_files();
	if (files / 2 < wanted) {
		log_notice("max_connections = %" PRIu64 ": only %" PRIu64
			   ", for no more than %" PRIu64 " files may be open (ulimit -n)",
			   wanted, files / 2, files);
		wanted = files / 2;
	}
	return (unsigned)wanted;
}

/* In whole seconds, not fewer than the retention has. */
static uint64_t keeps_s(const struct policy *p)
{
	int64_t ns = policy_keeps_ns(p);
	return (uint64_t)(ns / NUM_SEC_NS + (ns % NUM_SEC_NS != 0));
}

static uint64_t receiving_bytes(const struct options *o)
{
	return o->collector->memory_limit_bytes / RECEIVING_SHARE;
}

static uint64_t working_bytes(const struct options *o)
{
	return o->collector->memory_limit_bytes - receiving_bytes(o);
}

/* --- start --- */

static int make_intake(struct collector *c, struct conf_error *err)
{
	const struct options *o = c->options;
	struct intake *in = &c->intake;
	in->started_us = clock_real_ns() / NUM_US_NS;
	atomic_init(&in->max_batch, o->collector->max_batch_bytes);
	in->door = door_new("the collector is starting");
	in->receiving = budget_new(receiving_bytes(o));
	in->working = budget_new(working_bytes(o));
	in->complaints = complaints_new();
	in->inflight = inflight_new();
	in->scratch = scratch_new();
	int r = forecast_new(&in->forecast);
	c->policy = policy_new(o->conf);
	c->janitor = settings_of(o);
	c->data_dir = strdup(o->collector->data_dir);
	c->listen = strdup(o->collector->listen);
	c->on_loopback = options_is_loopback(o->collector->listen);
	if (r < 0 || !in->complaints || !in->inflight || !in->scratch || !in->door ||
	    !in->receiving || !in->working || !c->policy || !c->data_dir || !c->listen) {
		(void)snprintf(err->text, sizeof(err->text), "no memory");
		return -ENOMEM;
	}
	atomic_init(&in->keeps_s, keeps_s(c->policy));
	r = *o->tls->cert ? tls_new(tls_files(o), &c->tls, err) : 0;
	struct auth_config auth = auth_config(c, o);
	return r < 0 ? r : auth_new(&auth, &in->auth, err);
}

static void say_exposure(const struct collector *c)
{
	char pin[TLS_PIN_MAX];
	if (c->tls && tls_pin(c->tls, pin) == 0)
		log_info("TLS: the public key's pin is %s", pin);
	bool credentials = (c->tls && tls_asks_clients(c->tls)) || auth_token_count(c->intake.auth);
	if (c->options->collector->insecure && !c->on_loopback && !(c->tls && credentials))
		log_warning("insecure = yes: %s%s%s on %s, where other machines reach it",
			    c->tls ? "" : "nothing is encrypted",
			    c->tls || credentials ? "" : " and ",
			    credentials ? "" : "anyone may send for any host",
			    c->http ? http_address(c->http) : c->listen);
}

static int start_http(struct collector *c, struct conf_error *err)
{
	char uuid[UUID_LEN + 1];
	keeper_uuid(c->keeper, uuid);
	unsigned max = connection_limit(c->options),
		 threads = (unsigned)c->options->collector->threads;
	struct http_config config = {.listen = c->listen,
				     .threads = threads ? threads : process_cores(),
				     .limits = {.max = max,
						.per_peer = max / 2,
						.fresh_ns = FRESH_NS,
						.idle_ns = IDLE_NS,
						.stall_ns = STALL_NS,
						.answer_ns = ANSWER_NS,
						.body_rate = BODY_RATE,
						.pressed_rate = PRESSED_RATE},
				     .tls = c->tls,
				     .uuid = uuid,
				     .handler = &request_handler,
				     .user = &c->intake};
	return http_start(&config, &c->http, err);
}

/* --- reload --- */

static void warn_fixed(const struct collector *c, const struct options *o)
{
	const struct options_collector *a = c->options->collector, *b = o->collector;
	if (strcmp(c->listen, b->listen) != 0)
		log_warning("listen = %s takes effect at the next start; still on %s", b->listen,
			    c->listen);
	if (strcmp(c->data_dir, b->data_dir) != 0)
		log_warning("data_dir = %s takes effect at the next start; still in %s",
			    b->data_dir, c->data_dir);
	if (a->threads != b->threads || a->max_connections != b->max_connections)
		log_warning("threads and max_connections take effect at the next start");
	if (!c->tls != !*o->tls->cert)
		log_warning("[tls] takes effect at the next start; still %s TLS",
			    c->tls ? "with" : "without");
}

static bool same_store(const struct options *a, const struct options *b)
{
	const struct options_collector *x = a->collector, *y = b->collector;
	return x->max_host_files == y->max_host_files && x->segment_bytes == y->segment_bytes &&
	       x->seal_after_ns == y->seal_after_ns && x->min_free.value == y->min_free.value &&
	       x->min_free.is_percent == y->min_free.is_percent;
}

/* The last step, which cannot fail. */
static void adopt(struct collector *c, struct options *o, struct policy *policy)
{
	warn_fixed(c, o);
	set_policy(c, policy, settings_of(o));
	atomic_store(&c->intake.max_batch, o->collector->max_batch_bytes);
	atomic_store(&c->intake.keeps_s, keeps_s(policy));
	budget_resize(c->intake.receiving, receiving_bytes(o));
	budget_resize(c->intake.working, working_bytes(o));
	if (!same_store(c->options, o)) {
		struct store_config config = store_config(c, o);
		keeper_reconfigure(c->keeper, &config);
	}
	options_free(c->options);
	c->options = o;
}

/* Beyond loopback the listener that runs is what counts, not the one that is written now. */
static int check_running(const struct collector *c, const struct options *o, struct conf_error *err)
{
	if (c->on_loopback || o->collector->insecure || c->tls)
		return 0;
	(void)snprintf(err->text, sizeof(err->text),
		       "insecure = no: the listener on %s runs without TLS; that takes a "
		       "restart",
		       c->listen);
	return -EINVAL;
}

static int try_reload(struct collector *c, struct conf_error *err)
{
	struct options *o = NULL;
	struct policy *policy = NULL;
	int r = options_read(c->path, c->optional, &o, err);
	if (r == 0)
		r = options_check(o, err);
	if (r == 0)
		r = check_running(c, o, err);
	if (r == 0 && !(policy = policy_new(o->conf)))
		r = -ENOMEM;
	/* From here on each step takes effect by itself; options_check has tried them all. */
	if (r == 0 && c->tls && *o->tls->cert)
		r = tls_reload(c->tls, tls_files(o), err);
	if (r >= 0) {
		struct auth_config auth = auth_config(c, o);
		r = auth_reload(c->intake.auth, &auth, err);
	}
	if (r < 0) {
		policy_free(policy);
		options_free(o);
		return r;
	}
	adopt(c, o, policy);
	return 0;
}

static void reload(struct collector *c)
{
	struct conf_error err = {"no memory"};
	notify_reloading();
	if (try_reload(c, &err) < 0)
		log_error("reload: %s; the old configuration goes on", err.text);
	else
		log_notice("reload: the configuration is read again");
	notify_ready();
}

/* --- while it runs --- */

/* Reads the signals that are there. */
static void take_signals(struct collector *c)
{
	struct signalfd_siginfo info;
	while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && c->http)
			reload(c);
		else if (info.ssi_signo != SIGHUP)
			c->stopping = true;
	}
}

/* Waits for a signal, the keeper or the time. */
static void wait_events(struct collector *c, int64_t ns)
{
	struct pollfd fds[] = {{.fd = c->signals, .events = POLLIN},
			       {.fd = keeper_fd(c->keeper), .events = POLLIN}};
	(void)poll(fds, 2, (int)(ns / NUM_MS_NS));
	if (fds[0].revents)
		take_signals(c);
}

static void feed_watchdog(struct collector *c)
{
	int64_t interval_ns = notify_watchdog_interval_ns(), now_ns = clock_mono_ns();
	if (interval_ns == 0 || now_ns < c->next_watchdog_ns)
		return;
	notify_watchdog();
	c->next_watchdog_ns = now_ns + interval_ns;
}

/* The store has said aloud what failed. */
static void check_store(struct collector *c)
{
	char what[DOOR_REASON_MAX] = "", reason[DOOR_REASON_MAX];
	struct store *s = door_enter(c->intake.door, false, reason);
	if (!s)
		return;
	int failure = store_failure(s, what, sizeof(what));
	int64_t now_ns = clock_mono_ns();
	if (forecast_due(c->intake.forecast, now_ns)) {
		struct store_counters counters;
		store_counters(s, &counters);
		forecast_note(c->intake.forecast, now_ns, counters.free_bytes);
	}
	door_leave(c->intake.door);
	if (failure == 0)
		return;
	keeper_reopen(c->keeper, what);
}

/* Says aloud when batches are no longer taken, and when they are again. */
static void check_ready(struct collector *c)
{
	char reason[DOOR_REASON_MAX + 32];
	bool ready = health_look(&c->intake, reason, sizeof(reason)) != HEALTH_SHUT;
	if (ready == c->told_ready)
		return;
	c->told_ready = ready;
	if (ready) {
		log_notice("batches are taken again");
		notify_status("listening on %s", http_address(c->http));
	} else {
		log_error("no batches are taken: %s; agents wait", reason);
		notify_status("listening on %s, taking nothing: %s", http_address(c->http), reason);
	}
}

static void tick(struct collector *c)
{
	int64_t now_ns = clock_mono_ns();
	budget_expire(c->intake.receiving, now_ns);
	budget_expire(c->intake.working, now_ns);
	http_tick(c->http, now_ns, budget_state(c->intake.receiving).waiting > 0);
	check_store(c);
	check_ready(c);
	feed_watchdog(c);
}

static int wait_for_store(struct collector *c)
{
	while (!c->stopping) {
		wait_events(c, TICK_NS);
		switch (keeper_state(c->keeper)) {
		case KEEPER_OPENING: break;
		case KEEPER_OPEN:
		case KEEPER_REOPENING: return 0;
		case KEEPER_FAILED:
		case KEEPER_CLOSED: return -EIO;
		}
	}
	return 0;
}

static void serve(struct collector *c)
{
	c->told_ready = true;
	while (!c->stopping) {
		wait_events(c, TICK_NS);
		(void)keeper_state(c->keeper); /* takes its event */
		tick(c);
	}
}

/* --- stop --- */

static void drain(struct collector *c)
{
	int64_t until_ns = clock_mono_ns() + DRAIN_NS;
	c->stopping = false; /* a second signal cuts this short */
	while (door_passes(c->intake.door) && clock_mono_ns() < until_ns && !c->stopping) {
		wait_events(c, 10 * NUM_MS_NS);
		budget_expire(c->intake.receiving, clock_mono_ns());
		budget_expire(c->intake.working, clock_mono_ns());
	}
}

static void stop(struct collector *c)
{
	notify_stopping();
	log_notice("stopping");
	if (c->http)
		http_quiesce(c->http);
	door_close(c->intake.door, "the collector is stopping");
	if (c->http)
		drain(c);
	keeper_stop(c->keeper);
	c->keeper = NULL;
	if (!c->http)
		return;
	/* The store has answered all it had. Who waits for memory is told to come again, until
	 * nobody does; answers on their way out get a moment. */
	int64_t until_ns = clock_mono_ns() + NUM_SEC_NS;
	while (http_suspended(c->http) || (http_exchanges(c->http) && clock_mono_ns() < until_ns)) {
		budget_expire(c->intake.receiving, INT64_MAX);
		budget_expire(c->intake.working, INT64_MAX);
		(void)poll(NULL, 0, 2);
	}
	http_stop(c->http);
}

static void collector_free(struct collector *c)
{
	auth_free(c->intake.auth);
	tls_free(c->tls);
	complaints_free(c->intake.complaints);
	inflight_free(c->intake.inflight);
	scratch_free(c->intake.scratch);
	forecast_free(c->intake.forecast);
	budget_free(c->intake.receiving);
	budget_free(c->intake.working);
	door_free(c->intake.door);
	policy_free(c->policy);
	pthread_rwlock_destroy(&c->policy_lock);
	if (c->signals >= 0)
		(void)close(c->signals);
	free(c->data_dir);
	free(c->listen);
	options_free(c->options);
	free(c);
}

/* With the store open: listens and serves. */
static int run_open(struct collector *c)
{
	struct conf_error err = {"no memory"};
	int r = c->stopping ? 0 : start_http(c, &err);
	if (r < 0) {
		log_error("%s; the collector ends", err.text);
	} else if (!c->stopping) {
		say_exposure(c);
		log_notice("listening on %s%s, data in %s", http_address(c->http),
			   c->tls ? " with TLS" : "", c->data_dir);
		notify_status("listening on %s", http_address(c->http));
		notify_ready();
		serve(c);
	}
	stop(c);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run(struct collector *c)
{
	struct store_config config = store_config(c, c->options);
	struct janitor_config janitor = janitor_config(c);
	int r = keeper_start(&config, &janitor, c->intake.door, &c->keeper);
	if (r < 0) {
		log_error("no thread for the store: %s; the collector ends", strerror(-r));
		return EXIT_FAILED;
	}
	notify_status("opening %s", c->data_dir);
	r = wait_for_store(c);
	if (r < 0) {
		struct conf_error err;
		keeper_error(c->keeper, &err);
		log_error("%s; the collector ends", err.text);
		keeper_stop(c->keeper);
		return EXIT_FAILED;
	}
	if (c->stopping && keeper_state(c->keeper) == KEEPER_OPENING) {
		/* A recovery may take long, and may be broken off anywhere. */
		notify_stopping();
		log_notice("stopping before the store is open; the next start does it "
			   "again");
		c->abandoned = true;
		return EXIT_OK;
	}
	return run_open(c);
}

int collector_run(struct options *options, const char *path, bool optional)
{
	struct collector *c = calloc(1, sizeof(*c));
	if (!c) {
		options_free(options);
		log_error("no memory");
		return EXIT_FAILED;
	}
	*c = (struct collector){
		.options = options, .path = path, .optional = optional, .signals = -1};
	pthread_rwlock_init(&c->policy_lock, NULL);
	struct conf_error err = {""};
	int code = EXIT_FAILED;
	int r = process_take_signals(&c->signals);
	if (r < 0)
		log_error("signals: %s; the collector ends", strerror(-r));
	else if ((r = make_intake(c, &err)) < 0)
		log_error("%s; the collector ends", err.text);
	else
		code = run(c);
	if (r == -EINVAL)
		code = EXIT_CONFIG;
	if (!c->abandoned)
		collector_free(c);
	return code;
}
