/* Names of containers from what the runtimes keep beside their logs, and the services made of
 * them. */
#include "agent/files/container_name.h"
#include "agent/files/service_name.h"
#include "common/file.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/haul-name.XXXXXX";

static void setup(void)
{
	memcpy(strrchr(dir, '.') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_all(const char *path)
{
	char command[PATH_MAX + 16];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

static void teardown(void)
{
	ck_assert_int_eq(remove_all(dir), 0);
}

/* Writes a file below the test's directory, and the directories that lead to it; its path. */
static const char *put(const char *name, const char *text)
{
	static char path[PATH_MAX];
	char parent[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	ck_assert_int_eq(file_make_dirs(parent, 0700), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_write_all(fd, span_of(text)), 0);
	(void)close(fd);
	return path;
}

static void check_service(enum input_type type, const char *template, const char *path,
			  const char *service, const char *instance)
{
	struct input in = {.type = type, .service = template};
	struct buf s = BUF_EMPTY, i = BUF_EMPTY;
	ck_assert_int_eq(service_name(&in, path, &s), 0);
	ck_assert_int_eq(service_instance(&in, path, &i), 0);
	ck_assert_str_eq(buf_cstr(&s), service);
	ck_assert_str_eq(buf_cstr(&i), instance);
	buf_free(&s);
	buf_free(&i);
}

/* --- Docker --- */

static const struct {
	const char *config; /* config.v2.json; NULL: there is none */
	const char *name, *image, *team;
} configs[] = {
	{"{\"StreamConfig\":{},\"ID\":\"" ID
	 "\",\"Config\":{\"Hostname\":\"h\",\"Image\":\"registry/web:1\","
	 "\"Labels\":{\"org\":\"x\",\"team\":\"shop\"}},\"Name\":\"/web.1\",\"RestartCount\":0}",
	 "web.1", "registry/web:1", "shop"},
	{"{\"Name\":\"\\u002fw\\u00e9b\",\"Config\":{\"Image\":\"sha256:ab\",\"Labels\":null}}",
	 "w\xc3\xa9"
	 "b",
	 "sha256:ab", ""},
	{"{\"Name\":\"no-slash\",\"Config\":{\"Labels\":{\"team\":\"a\\\"b\"}}}", "no-slash", "",
	 "a\"b"},
	{"{\"Name\":\"/x\",\"Config\":{\"Image\":7,\"Labels\":{\"team\":[1],\"other\":\"y\"}}}",
	 "x", "", ""},
	{"{\"Name\":\"/\"}", "0123456789ab", "", ""},
	{"{\"Name\":null}", "0123456789ab", "", ""},
	{"[]", "0123456789ab", "", ""},
	{"{\"Name\":\"/cut", "0123456789ab", "", ""},
	{"", "0123456789ab", "", ""},
	{NULL, "0123456789ab", "", ""},
};

START_TEST(docker_names)
{
	struct container_name c;
	if (configs[_i].config)
		(void)put("containers/" ID "/config.v2.json", configs[_i].config);
	const char *log = put("containers/" ID "/" ID "-json.log", "");
	ck_assert_int_eq(container_name_of(INPUT_DOCKER, log, &c), 0);
	ck_assert_str_eq(c.name, configs[_i].name);
	ck_assert_str_eq(c.image, configs[_i].image);
	ck_assert_str_eq(c.pod, "");
	struct span team = container_label(&c, SPAN_LITERAL("team"));
	ck_assert(span_is(team, configs[_i].team));
	ck_assert_uint_eq(container_label(&c, SPAN_LITERAL("none")).len, 0);
	container_name_free(&c);
}
END_TEST

START_TEST(docker_services)
{
	(void)put("containers/" ID "/config.v2.json", configs[0].config);
	const char *log = put("containers/" ID "/" ID "-json.log", "");
	check_service(INPUT_DOCKER, "", log, "web.1", "");
	check_service(INPUT_DOCKER, "{image}", log, "registry_web_1", "web.1");
	check_service(INPUT_DOCKER, "{label:team}", log, "shop", "web.1");
	check_service(INPUT_DOCKER, "{label:none}", log, "web.1", "web.1");
	check_service(INPUT_DOCKER, "x-{name}", log, "x-web.1", "");
}
END_TEST

/* --- podman --- */

#define OTHER "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static const struct {
	const char *all; /* containers.json */
	const char *name, *image;
} storages[] = {
	{"[{\"id\":\"" OTHER "\",\"metadata\":\"{\\\"name\\\":\\\"other\\\"}\"},"
	 "{\"id\":\"" ID
	 "\",\"names\":[\"x\"],\"metadata\":\"{\\\"image-name\\\":\\\"localhost/shop:1\\\","
	 "\\\"name\\\":\\\"shop\\\"}\"}]",
	 "shop", "localhost/shop:1"},
	{"[{\"id\":\"" OTHER "\",\"metadata\":\"{\\\"name\\\":\\\"other\\\"}\"}]", "0123456789ab",
	 ""},
	{"[{\"id\":\"" ID "\",\"metadata\":\"{cut\"}]", "0123456789ab", ""},
	{"[{\"id\":\"" ID "\"}]", "0123456789ab", ""},
	{"{}", "0123456789ab", ""},
	{"", "0123456789ab", ""},
};

START_TEST(podman_names)
{
	struct container_name c;
	(void)put("storage/overlay-containers/containers.json", storages[_i].all);
	const char *log = put("storage/overlay-containers/" ID "/userdata/ctr.log", "");
	ck_assert_int_eq(container_name_of(INPUT_PODMAN, log, &c), 0);
	ck_assert_str_eq(c.name, storages[_i].name);
	ck_assert_str_eq(c.image, storages[_i].image);
	container_name_free(&c);
}
END_TEST

/* --- Kubernetes --- */

static const struct {
	const char *path, *service, *instance;
} pods[] = {
	{"pods/prod_cart-7d9f4-x2_3f1c-uid/web/0.log", "prod.web", "cart-7d9f4-x2"},
	{"pods/kube-system_etcd-master_uid/etcd/12.log", "kube-system.etcd", "etcd-master"},
	{"pods/nothing/web/0.log", "web.0", ""}, /* not a pod's folder */
	{"pods/_pod_uid/web/0.log", "web.0", ""},
};

START_TEST(pod_names)
{
	check_service(INPUT_CRI, "", put(pods[_i].path, ""), pods[_i].service, pods[_i].instance);
}
END_TEST

/* Links to them have names that kubelet cuts. */
START_TEST(pod_by_a_link)
{
	char link[PATH_MAX];
	const char *log = put(pods[0].path, "");
	(void)snprintf(link, sizeof(link), "%s/cart-7d9f4-x2_prod_web-%s.log", dir, ID);
	ck_assert_int_eq(symlink(log, link), 0);
	check_service(INPUT_CRI, "", link, "prod.web", "cart-7d9f4-x2");
	check_service(INPUT_CRI, "{pod}.{container}", link, "cart-7d9f4-x2.web", "cart-7d9f4-x2");
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *suite = suite_create("container_name");
	TCase *tc = tcase_create("container_name");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, docker_names, 0, COUNT(configs));
	tcase_add_test(tc, docker_services);
	tcase_add_loop_test(tc, podman_names, 0, COUNT(storages));
	tcase_add_loop_test(tc, pod_names, 0, COUNT(pods));
	tcase_add_test(tc, pod_by_a_link);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
