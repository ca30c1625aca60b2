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
 * Reload: see reload.c. */
#include "collector/collector.h"

#include "collector/collector_inside.h"
#include "collector/ingest/health.h"
#include "collector/ingest/request.h"
#include "collector/ingest/scratch.h"
#include "collector/process.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
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

/* --- what options say --- */

struct store_config collector_store_config(struct collector *c, const struct options *o)
{
	return (struct store_config){.data_dir = c->data_dir,
				     .segment_bytes = o->collector->segment_bytes,
				     .min_free = o->collector->min_free,
				     .host_files = o->collector->max_host_files,
				     .close_after_ns = o->collector->seal_after_ns,
				     .oldest_day = rules_oldest_day,
				     .user = c->rules};
}

static struct janitor_config janitor_config(struct collector *c)
{
	return (struct janitor_config){.settings = rules_janitor,
				       .policy_get = rules_policy_get,
				       .policy_put = rules_policy_put,
				       .user = c->rules,
				       .meters = &c->intake.archive};
}

struct auth_config collector_auth_config(const struct collector *c, const struct options *o)
{
	return (struct auth_config){.tokens_file = o->auth->tokens_file,
				    .anonymous_allowed = o->collector->insecure || c->on_loopback,
				    .tls = c->tls};
}

struct tls_files collector_tls_files(const struct options *o)
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

uint64_t collector_receiving_bytes(const struct options *o)
{
	return o->collector->memory_limit_bytes / RECEIVING_SHARE;
}

uint64_t collector_working_bytes(const struct options *o)
{
	return o->collector->memory_limit_bytes - collector_receiving_bytes(o);
}

/* --- start --- */

static int make_intake(struct collector *c, struct conf_error *err)
{
	const struct options *o = c->options;
	struct intake *in = &c->intake;
	in->started_us = clock_real_ns() / NUM_US_NS;
	atomic_init(&in->max_batch, o->collector->max_batch_bytes);
	in->door = door_new("the collector is starting");
	in->receiving = budget_new(collector_receiving_bytes(o));
	in->working = budget_new(collector_working_bytes(o));
	in->complaints = complaints_new();
	in->inflight = inflight_new();
	in->scratch = scratch_new();
	int r = forecast_new(&in->forecast);
	c->rules = rules_new(o);
	c->data_dir = strdup(o->collector->data_dir);
	c->listen = strdup(o->collector->listen);
	c->on_loopback = options_is_loopback(o->collector->listen);
	if (r < 0 || !in->complaints || !in->inflight || !in->scratch || !in->door ||
	    !in->receiving || !in->working || !c->rules || !c->data_dir || !c->listen) {
		(void)snprintf(err->text, sizeof(err->text), "no memory");
		return -ENOMEM;
	}
	atomic_init(&in->keeps_s, rules_keeps_s(c->rules));
	r = *o->tls->cert ? tls_new(collector_tls_files(o), &c->tls, err) : 0;
	struct auth_config auth = collector_auth_config(c, o);
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

/* --- while it runs --- */

/* Reads the signals that are there. */
static void take_signals(struct collector *c)
{
	struct signalfd_siginfo info;
	while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && c->http)
			reload_options(c);
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
	rules_free(c->rules);
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
	struct store_config config = collector_store_config(c, c->options);
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
