/* The agent: see agent.h. One thread, one loop:
 *
 *     wait for the collector's answers, file events, signals, the status listener or a deadline;
 *     discover, journals -> ship (answers, fill, send) -> registry
 *
 * Nothing here waits for a disk or a peer, and with nothing to do the loop sleeps until something
 * happens. */
#include "agent/agent.h"

#include "agent/far.h"
#include "agent/files/discover.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/heartbeat.h"
#include "agent/journal/journal.h"
#include "agent/listener.h"
#include "agent/machine.h"
#include "agent/ship/shipper.h"
#include "agent/status.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/name.h"
#include "common/notify.h"
#include "common/num.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STOP_NS        (10 * NUM_SEC_NS) /* what is in flight may take so long at a stop */
#define FAR_STOP_NS    NUM_SEC_NS        /* ... and then the thread that may hang */
#define CADENCE_MIN_NS (5 * NUM_MS_NS)
#define FAR_LOOK_NS    (100 * NUM_MS_NS) /* how far is it? */

/* The two batches hold a quarter of the memory limit in raw bytes; what they compress to, libraries
 * and the table of sources take the rest. */
enum { ARENA_SHARE = 4, ARENA_MAX = 16 * 1024 * 1024 };

struct agent {
	struct agent_setup setup;
	const char *file; /* of the configuration */
	struct source_table *table;
	struct registry *registry;
	struct discover *discover;
	struct journals *journals;
	struct shipper *shipper;
	struct listener *listener;   /* NULL: off */
	struct far *far;             /* follows inputs with remote = yes; NULL: there are none */
	struct agent_setup *retired; /* what the far side may still use */
	size_t n_retired;
	struct status_view view;
	struct report report; /* as it was at reported_ns; 0: not yet */
	int64_t reported_ns;
	char machine[MACHINE_LEN + 1];
	int signal_fd;
	bool stopping;
	int64_t stop_by_ns;
	struct heartbeat heartbeat;
};

/* --- configuration --- */

static int find_host(const char *configured, char **ret)
{
	struct buf name = BUF_EMPTY;
	char host[256] = "";
	struct span text = span_of(configured);
	if (!text.len) {
		(void)gethostname(host, sizeof(host) - 1);
		text = span_of(host);
		text.len = span_find(text, '.');
	}
	int r = name_make_host(text, &name);
	const char *made = r == 0 ? buf_cstr(&name) : NULL;
	*ret = made ? strdup(made) : NULL;
	buf_free(&name);
	return *ret ? 0 : -ENOMEM;
}

int agent_setup_read(const char *file, struct agent_setup *ret, struct conf_error *err)
{
	struct agent_setup s = {0};
	int r = options_read(file, &s.conf, err);
	if (r < 0)
		return r;
	(void)snprintf(err->text, sizeof(err->text), "out of memory");
	s.agent = conf_get(s.conf, "agent", 0);
	s.collector = conf_get(s.conf, "collector", 0);
	r = inputs_new(s.conf, &s.inputs, err);
	if (r == 0)
		r = find_host(s.agent->host, &s.host);
	if (r == 0 && !s.collector->urls.n) {
		(void)snprintf(err->text, sizeof(err->text), "%s: [collector]: url is empty",
			       conf_where(s.conf, "collector", 0));
		r = -EINVAL;
	}
	if (r < 0) {
		agent_setup_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void agent_setup_free(struct agent_setup *s)
{
	inputs_free(&s->inputs);
	conf_free(s->conf);
	free(s->host);
	*s = (struct agent_setup){0};
}

/* --- parts --- */

/* Events pause for no more than half of what lines may wait for others. */
static int64_t cadence_ns(const struct agent_setup *s)
{
	int64_t half_ns = s->collector->batch_delay_ns / 2;
	if (half_ns < CADENCE_MIN_NS)
		return CADENCE_MIN_NS;
	return half_ns < DISCOVER_CADENCE_NS ? half_ns : DISCOVER_CADENCE_NS;
}

static struct discover_config discover_config(const struct agent_setup *s)
{
	return (struct discover_config){
		.inputs = s->inputs.items,
		.n_inputs = s->inputs.n,
		.cadence_ns = cadence_ns(s),
		.max_open_files = s->agent->max_open_files,
		.max_deleted = s->agent->max_deleted,
	};
}

/* The sources are walked once a second for it, not for each batch: there may be many. */
static void on_report(void *user, struct report *ret)
{
	struct agent *a = user;
	int64_t now_ns = clock_mono_ns();
	if (!a->reported_ns || now_ns - a->reported_ns >= NUM_SEC_NS) {
		status_report(&a->view, &a->report);
		a->reported_ns = now_ns;
	}
	*ret = a->report;
}

static struct shipper_config shipper_config(struct agent *a, const struct agent_setup *setup)
{
	const struct collector_options *c = setup->collector;
	uint64_t arena = setup->agent->memory_limit / ARENA_SHARE;
	return (struct shipper_config){
		.uplink =
			{
				.urls = c->urls,
				.token_file = c->token_file,
				.ca_file = c->ca_file,
				.pin = c->pin,
				.client_cert = c->client_cert,
				.client_key = c->client_key,
				.host = a->setup.host, /* changes at a restart only */
				.machine = a->machine,
				.agent_uuid = registry_agent_uuid(a->registry),
				.collector_uuid =
					*c->uuid ? c->uuid : registry_collector_uuid(a->registry),
				.failover = c->failover,
				.timeout_ns = c->timeout_ns,
				.max_rate = c->max_rate,
				.report = on_report,
				.report_user = a,
			},
		.batch_bytes = c->batch_bytes,
		.batch_delay_ns = c->batch_delay_ns,
		.arena_bytes = arena > ARENA_MAX ? ARENA_MAX : arena,
		.ferry = a->far ? far_ferry(a->far) : NULL,
		.wanted = {setup->inputs.items, setup->inputs.n, WANTED_NEAR},
	};
}

/* A uuid in the configuration (join writes it there) is the administrator's word: the agent moves
 * to that collector. */
static void keep_collector(struct agent *a, const struct agent_setup *setup)
{
	const char *before = registry_collector_uuid(a->registry), *now = setup->collector->uuid;
	if (!*now || strcmp(before, now) == 0)
		return;
	if (*before)
		log_notice("this agent moves from collector %s to %s, as [collector] uuid says",
			   before, now);
	int r = registry_set_collector_uuid(a->registry, now);
	if (r < 0)
		log_warning("the collector's identity cannot be kept: %s", strerror(-r));
}

static bool is_remote_wanted(const struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->items[i].remote)
			return true;
	return false;
}

static struct discover_config far_discover_config(const struct agent_setup *s)
{
	struct discover_config c = discover_config(s);
	c.far = true;
	return c;
}

/* The others are followed also when this fails. */
static void start_far(struct agent *a, const struct agent_setup *setup)
{
	struct far_config c = {
		.discover = far_discover_config(setup),
		.shipper = shipper_config(a, setup),
		.state_dir = setup->agent->state_dir,
	};
	if (a->far || !is_remote_wanted(&setup->inputs))
		return;
	c.shipper.arena_bytes /= 2;
	int r = far_start(&c, &a->far);
	if (r < 0)
		log_error("files of inputs with remote = yes cannot be followed: %s", strerror(-r));
}

static int page_status(void *user, struct buf *out)
{
	struct agent *a = user;
	return status_json(&a->view, out);
}

static int page_metrics(void *user, struct buf *out)
{
	struct agent *a = user;
	return status_metrics(&a->view, out);
}

static void update_view(struct agent *a)
{
	a->view.host = a->setup.host;
	a->view.url = a->setup.collector->urls.items[0];
	a->view.table = a->table;
	a->view.registry = a->registry;
	a->view.discover = a->discover;
	a->view.journals = a->journals;
	a->view.shipper = a->shipper;
	a->view.inputs = &a->setup.inputs;
	a->view.far = a->far;
	a->view.max_deleted = a->setup.agent->max_deleted;
}

/* Logs are shipped also when nobody can ask for the status. */
static void start_listener(struct agent *a)
{
	const char *address = a->setup.agent->listen;
	if (!*address)
		return;
	int r = listener_new(address, page_status, page_metrics, a, &a->listener);
	if (r < 0)
		log_warning("cannot listen at %s: %s; going on without status and metrics", address,
			    strerror(-r));
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Makes the parts in the order in which they need each other; says what failed. */
static int make_parts(struct agent *a)
{
	const char *state_dir = a->setup.agent->state_dir;
	a->table = source_table_new();
	if (!a->table) {
		log_error("there is no memory to begin with; the agent ends");
		return -ENOMEM;
	}
	int r = registry_open(state_dir, a->table, &a->registry);
	if (r < 0) {
		log_error("state_dir %s: %s", state_dir,
			  r == -EWOULDBLOCK ? "another agent uses it" : strerror(-r));
		return r;
	}
	r = machine_find(registry_agent_uuid(a->registry), a->machine);
	if (r < 0) {
		log_error("/etc/machine-id cannot be read: %s; the agent ends", strerror(-r));
		return r;
	}
	keep_collector(a, &a->setup);
	struct discover_config dc = discover_config(&a->setup);
	r = discover_new(&dc, a->table, a->registry, &a->discover);
	if (r < 0) {
		log_error("cannot watch files: %s", strerror(-r));
		return r;
	}
	r = journals_new(a->setup.inputs.items, a->setup.inputs.n, a->table, a->registry,
			 &a->journals);
	if (r < 0) {
		log_error("cannot prepare to read journals: %s", strerror(-r));
		return r;
	}
	start_far(a, &a->setup);
	struct shipper_config sc = shipper_config(a, &a->setup);
	r = shipper_new(&sc, a->table, a->registry, a->discover, a->journals, &a->shipper);
	if (r < 0) {
		log_error("cannot prepare the way to the collector: %s", strerror(-r));
		return r;
	}
	update_view(a);
	start_listener(a);
	return 0;
}

static void free_retired(struct agent *a)
{
	for (size_t i = 0; i < a->n_retired; i++)
		agent_setup_free(&a->retired[i]);
	free(a->retired);
	a->retired = NULL;
	a->n_retired = 0;
}

/* The far side may hold something of it until it has taken the new inputs. */
static void retire(struct agent *a, struct agent_setup *old)
{
	struct agent_setup *list = realloc(a->retired, (a->n_retired + 1) * sizeof(*list));
	if (!list)
		return; /* then it stays for ever */
	a->retired = list;
	list[a->n_retired++] = *old;
}

static void free_parts(struct agent *a)
{
	/* What a thread that hangs uses, until the process ends. */
	static __attribute__((used, unused)) struct agent_setup left, *left_retired;
	listener_free(a->listener);
	shipper_free(a->shipper); /* with what is in flight of the far side's */
	journals_free(a->journals);
	discover_free(a->discover);
	registry_close(a->registry);
	source_table_free(a->table);
	if (far_stop(a->far, FAR_STOP_NS)) {
		agent_setup_free(&a->setup);
		free_retired(a);
	} else {
		left = a->setup;
		left_retired = a->retired;
	}
	if (a->signal_fd >= 0)
		(void)close(a->signal_fd);
}

/* --- signals --- */

static void stop(struct agent *a, int64_t now_ns)
{
	if (a->stopping)
		return;
	notify_stopping();
	a->stopping = true;
	a->stop_by_ns = now_ns + STOP_NS;
	shipper_finish(a->shipper);
	if (a->far)
		far_finish(a->far);
}

/* What a reload cannot change while the agent runs; it says so and keeps the old value. */
static void say_what_needs_a_restart(const struct agent_setup *old, const struct agent_setup *new)
{
	if (strcmp(old->host, new->host) != 0 ||
	    strcmp(old->agent->state_dir, new->agent->state_dir) != 0 ||
	    strcmp(old->agent->listen, new->agent->listen) != 0 ||
	    old->agent->memory_limit != new->agent->memory_limit)
		log_warning("host, state_dir, listen and memory_limit change at a "
			    "restart only");
}

static int switch_setup(struct agent *a, struct agent_setup *new)
{
	struct discover_config dc = discover_config(new);
	struct shipper_config sc = shipper_config(a, new);
	struct uplink *uplink;
	int r = shipper_prepare(a->shipper, &sc, &uplink);
	if (r < 0)
		return r;
	r = journals_prepare(a->journals, new->inputs.items, new->inputs.n);
	if (r == 0)
		r = discover_reload(a->discover, &dc);
	if (r < 0) {
		uplink_free(uplink);
		return r;
	}
	journals_switch(a->journals);
	shipper_switch(a->shipper, &sc, uplink);
	keep_collector(a, new);
	say_what_needs_a_restart(&a->setup, new);
	char *unused = new->host;
	new->host = a->setup.host;
	a->setup.host = unused;
	struct agent_setup old = a->setup;
	a->setup = *new;
	dc = far_discover_config(&a->setup);
	if (a->far) {
		far_reload(a->far, &dc);
		retire(a, &old);
	} else {
		agent_setup_free(&old);
		start_far(a, &a->setup);
		shipper_set_ferry(a->shipper, a->far ? far_ferry(a->far) : NULL);
	}
	update_view(a);
	return 0;
}

static void say_what_is_left_out(const struct agent_setup *s)
{
	if (s->inputs.no_journal)
		log_info("the journal is not followed: %s", s->inputs.no_journal);
}

/* Atomic: either everything of the new configuration holds, or the old one goes on. */
static void reload(struct agent *a)
{
	struct agent_setup new;
	struct conf_error err;
	notify_reloading();
	int r = agent_setup_read(a->file, &new, &err);
	if (r < 0) {
		log_error("%s; the old configuration goes on", err.text);
	} else if ((r = switch_setup(a, &new)) < 0) {
		log_error("cannot reload: %s; the old configuration goes on", strerror(-r));
		agent_setup_free(&new);
	} else {
		log_info("configuration reloaded");
		say_what_is_left_out(&a->setup);
	}
	notify_ready();
}

static void take_signals(struct agent *a, int64_t now_ns)
{
	struct signalfd_siginfo info;
	while (read(a->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(a);
		else
			stop(a, now_ns);
	}
}

/* --- the loop --- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_deadline(struct agent *a, int64_t now_ns, int64_t registry_ns)
{
	int64_t next = earlier(registry_ns, shipper_next_ns(a->shipper));
	next = earlier(next, discover_next_ns(a->discover));
	next = earlier(next, journals_next_ns(a->journals, now_ns));
	if (a->listener)
		next = earlier(next, listener_next_ns(a->listener, now_ns));
	next = earlier(next, a->heartbeat.next_ns);
	if (a->stopping)
		next = earlier(next, a->stop_by_ns);
	if (a->stopping && a->far)
		next = earlier(next, now_ns + FAR_LOOK_NS);
	return next;
}

/* Waits; tells whether one of the journals' descriptors is readable. */
static int wait(struct agent *a, int64_t now_ns, int64_t until_ns, bool *ret_journals)
{
	struct curl_waitfd fds[4 + JOURNALS_MAX];
	int journal_fds[JOURNALS_MAX];
	unsigned n = 0, n_journals;
	fds[n++] = (struct curl_waitfd){.fd = a->signal_fd, .events = CURL_WAIT_POLLIN};
	if (a->listener)
		fds[n++] = (struct curl_waitfd){.fd = listener_fd(a->listener),
						.events = CURL_WAIT_POLLIN};
	if (a->far)
		fds[n++] = (struct curl_waitfd){.fd = ferry_near_fd(far_ferry(a->far)),
						.events = CURL_WAIT_POLLIN};
	int64_t poll_ns = discover_poll_ns(a->discover);
	if (now_ns < poll_ns)
		until_ns = earlier(until_ns, poll_ns);
	else
		fds[n++] = (struct curl_waitfd){.fd = discover_fd(a->discover),
						.events = CURL_WAIT_POLLIN};
	unsigned journals = n;
	n_journals = journals_fds(a->journals, now_ns, journal_fds, JOURNALS_MAX);
	for (unsigned i = 0; i < n_journals; i++)
		fds[n++] = (struct curl_waitfd){.fd = journal_fds[i], .events = CURL_WAIT_POLLIN};
	int r = shipper_wait(a->shipper, fds, n, until_ns > now_ns ? until_ns - now_ns : 0);
	*ret_journals = false;
	for (unsigned i = journals; r == 0 && i < n; i++)
		*ret_journals = *ret_journals || fds[i].revents;
	return r;
}

static void look_at_far(struct agent *a, int64_t now_ns)
{
	if (!a->far)
		return;
	ferry_near_woken(far_ferry(a->far));
	far_watch(a->far, now_ns);
	if (a->n_retired && !far_holds_old(a->far))
		free_retired(a);
}

/* Is all done that a stop waits for? What hangs, or has no collector to go to, is not waited
 * for. */
static bool is_finished(const struct agent *a, int64_t now_ns)
{
	if (now_ns >= a->stop_by_ns)
		return true;
	return shipper_finished(a->shipper) &&
	       (!a->far || far_finished(a->far) || far_hangs_ns(a->far, now_ns) ||
		uplink_problem(shipper_uplink(a->shipper)));
}

static int loop(struct agent *a)
{
	int64_t registry_ns = INT64_MAX;
	for (;;) {
		bool journals;
		int64_t now_ns = clock_mono_ns();
		int r = wait(a, now_ns, next_deadline(a, now_ns, registry_ns), &journals);
		if (r < 0) {
			log_error("cannot wait for events: %s", strerror(-r));
			return r;
		}
		now_ns = clock_mono_ns();
		take_signals(a, now_ns);
		if (a->listener)
			listener_run(a->listener);
		discover_take(a->discover, now_ns);
		journals_take(a->journals, now_ns, journals);
		shipper_tick(a->shipper, now_ns);
		registry_ns = registry_tick(a->registry, now_ns);
		heartbeat_tick(&a->heartbeat, &a->view, now_ns);
		look_at_far(a, now_ns);
		if (a->stopping && is_finished(a, now_ns))
			return 0;
	}
}

int agent_run(const char *file)
{
	struct agent a = {.file = file, .signal_fd = -1};
	log_limit();
	struct conf_error err;
	int r = agent_setup_read(file, &a.setup, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return 78;
	}
	a.signal_fd = open_signals();
	if (a.signal_fd < 0)
		log_error("signals cannot be received: %s; the agent ends", strerror(-a.signal_fd));
	r = a.signal_fd < 0 ? a.signal_fd : make_parts(&a);
	if (r == 0) {
		a.view.started_ns = clock_real_ns();
		heartbeat_start(&a.heartbeat, clock_mono_ns());
		log_info("started: host %s, collector %s", a.setup.host, a.view.url);
		say_what_is_left_out(&a.setup);
		notify_ready();
		r = loop(&a);
		log_info("stopped");
	}
	free_parts(&a);
	return r < 0 ? 1 : 0;
}
