/* The agent: see agent.h. One thread, one loop:
 *
 *     wait for the collector's answers, file events, signals, the status listener or a deadline;
 *     discover, journals -> ship (answers, fill, send) -> registry
 *
 * Nothing here waits for a disk or a peer, and with nothing to do the loop sleeps until something
 * happens. */
#include "agent/agent.h"

#include "agent/agent_inside.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/num.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STOP_NS     (10 * NUM_SEC_NS) /* what is in flight may take so long at a stop */
#define FAR_LOOK_NS (100 * NUM_MS_NS) /* how far is it? */

/* --- signals --- */

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

static void take_signals(struct agent *a, int64_t now_ns)
{
	struct signalfd_siginfo info;
	while (read(a->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload_setup(a);
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
		reload_free_retired(a);
}

/* Is all done that a stop waits for? What hangs, or has no collector to go to, is not waited for. */
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
	int r = setup_read(file, &a.setup, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return 78;
	}
	a.signal_fd = open_signals();
	if (a.signal_fd < 0)
		log_error("signals cannot be received: %s; the agent ends", strerror(-a.signal_fd));
	r = a.signal_fd < 0 ? a.signal_fd : parts_make(&a);
	if (r == 0) {
		a.view.started_ns = clock_real_ns();
		heartbeat_start(&a.heartbeat, clock_mono_ns());
		log_info("started: host %s, collector %s", a.setup.host, a.view.url);
		reload_say_what_is_left_out(&a.setup);
		notify_ready();
		r = loop(&a);
		log_info("stopped");
	}
	parts_free(&a);
	return r < 0 ? 1 : 0;
}
