/* Power cuts of the agent's state directory: see power_cut.h. A child works with the registry and
 * ends at some I/O call; then what was not synced is taken back. The registry opens on whatever is
 * left, what it says of a source was true once (an offset with that offset's checksum, never a
 * mixture), and it is not older than what it had when it was closed properly. The agent keeps its
 * name. */
#include "tests/lib/power_cut.h"

#include "agent/files/registry.h"
#include "common/crc64.h"
#include "common/uuid.h"

enum { SOURCES = 5, ROUNDS = 12, LINE = 18 };

struct shared {
	char dir[64];
	struct stream_id ids[SOURCES];
	uint64_t written[SOURCES],
		durable[SOURCES]; /* offsets: the farthest, and those of the last proper end */
	char uuid[UUID_LEN + 1];  /* "" before the first proper end */
	unsigned opened;
};

static struct shared *shared;
static struct source_table *table;
static struct registry *registry;

static void add_line(struct position *to, unsigned source)
{
	char line[LINE + 1];
	(void)snprintf(line, sizeof(line), "%08u of %05u\n", (unsigned)(to->offset / LINE), source);
	to->crc = crc64_add(to->crc, line, LINE);
	to->offset += LINE;
}

static unsigned index_of(const struct source *s)
{
	unsigned i = 0;
	while (i < SOURCES && !stream_id_equal(&shared->ids[i], &s->id))
		i++;
	ck_assert_uint_lt(i, SOURCES);
	return i;
}

static void check_source(const struct source *s)
{
	unsigned i = index_of(s);
	struct position true_one;
	ck_assert_uint_ge(s->committed.offset, shared->durable[i]);
	ck_assert_uint_le(s->committed.offset, shared->written[i]);
	position_init(&true_one, 0);
	while (true_one.offset < s->committed.offset)
		add_line(&true_one, i);
	ck_assert_uint_eq(true_one.offset, s->committed.offset);
	ck_assert_uint_eq(true_one.crc, s->committed.crc);
}

static void check_loaded(void)
{
	for (unsigned i = 0; i < SOURCES; i++)
		ck_assert(shared->durable[i] == 0 || source_by_id(table, &shared->ids[i]));
	for (struct source *s = source_first(table); s; s = source_after(table, s))
		check_source(s);
	if (*shared->uuid)
		ck_assert_str_eq(registry_agent_uuid(registry), shared->uuid);
}

static struct source *source_of(unsigned i)
{
	static struct input input = {.name = "logs", .service = "", .rotated_dir = ""};
	struct source *s = source_by_id(table, &shared->ids[i]);
	char path[64];
	if (s)
		return s;
	(void)snprintf(path, sizeof(path), "/var/log/%u.log", i);
	struct source_config c = {.id = shared->ids[i],
				  .path = path,
				  .service = "shop",
				  .instance = "",
				  .ino = i + 1,
				  .btime_ns = 1000 + i,
				  .input = &input};
	ck_assert_int_eq(source_add(table, &c, &s), 0);
	source_move(table, s, SOURCE_FOLLOWING);
	return s;
}

static void advance(unsigned i)
{
	struct source *s = source_of(i);
	struct position to = s->committed;
	for (unsigned n = 1 + (unsigned)rand() % 20; n; n--)
		add_line(&to, i);
	s->cursor = to;
	s->tail_at = s->size = s->sure_size = to.offset;
	source_commit(table, s, &to);
	if (to.offset > shared->written[i])
		shared->written[i] = to.offset;
	registry_touch(registry, s);
}

static void work(void)
{
	int64_t now_ns = 0;
	table = source_table_new();
	ck_assert_int_eq(registry_open(shared->dir, table, &registry), 0);
	check_loaded();
	shared->opened++;
	srand(shared->opened);
	for (unsigned round = 0; round < ROUNDS; round++) {
		advance(round < SOURCES ? round : (unsigned)rand() % SOURCES);
		if (round == 2)
			registry_announce(registry);
		now_ns += (int64_t)(round == 7 ? 31 : 2) * 1000000000;
		(void)registry_tick(registry, now_ns);
	}
	char uuid[UUID_LEN + 1];
	(void)snprintf(uuid, sizeof(uuid), "%s", registry_agent_uuid(registry));
	registry_close(registry);
	memcpy(shared->uuid, uuid, sizeof(uuid));
	for (struct source *s = source_first(table); s; s = source_after(table, s))
		shared->durable[index_of(s)] = s->committed.offset;
	source_table_free(table);
}

static void begin(void)
{
	memset(shared, 0, sizeof(*shared));
	(void)snprintf(shared->dir, sizeof(shared->dir), "%s/haul-test-registry-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(shared->dir));
	for (unsigned i = 0; i < SOURCES; i++)
		ck_assert_int_eq(stream_id_random(&shared->ids[i]), 0);
}

static void end(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", shared->dir);
	ck_assert_int_eq(system(command), 0);
}

/* To the end, and once more to see what that left. */
static void go_on(void)
{
	ck_assert(!power_work(UINT32_MAX, work));
	ck_assert(!power_work(UINT32_MAX, work));
}

static void setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	power_set_up();
}

static unsigned images(void)
{
	const char *torture = getenv("HAUL_TORTURE");
	return torture ? 20 * (unsigned)strtoul(torture, NULL, 10) : 4;
}

/* At every call of the first run, and of a run that has something to lose. */
START_TEST(cut_once)
{
	bool second = _i >= CUTS;
	srand((unsigned)_i + 1);
	for (unsigned n = 1, left = 1; left; n++) {
		for (unsigned i = 0; i < images(); i++) {
			begin();
			if (second)
				ck_assert(!power_work(UINT32_MAX, work));
			left = power_work(n, work);
			power_cut(shared->dir, (enum cut)(_i % CUTS));
			go_on();
			end();
		}
	}
}
END_TEST

START_TEST(cut_again_and_again)
{
	srand((unsigned)_i + 1);
	for (unsigned k = 0; k < images(); k++) {
		begin();
		for (int i = 0; i < 30; i++) {
			(void)power_work(1 + (unsigned)rand() % 40, work);
			power_cut(shared->dir, (enum cut)(rand() % CUTS));
		}
		go_on();
		end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry_power");
	TCase *tcase = tcase_create("power");
	tcase_add_checked_fixture(tcase, setup, power_tear_down);
	tcase_set_timeout(tcase, 280);
	tcase_add_loop_test(tcase, cut_once, 0, 2 * CUTS);
	tcase_add_loop_test(tcase, cut_again_and_again, 0, 4);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
