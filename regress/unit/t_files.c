/* links: msad/parent/files.c msad/parent/listener.c msad/parent/users.c */
/*
 * What msad opens for its children: modes and owners that are refused, file
 * positions of their own, files that are replaced, directories, and listening
 * sockets that a reload keeps.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf.h"
#include "msad/parent/files.h"

static char	 dir[] = "/tmp/t_files.XXXXXX";
static char	*said;		/* what went to errors */
static size_t	 nsaid;

static const char *
at(const char *name)
{
	static char	 paths[4][128];
	static int	 i;

	i = (i + 1) % 4;
	snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, name);
	return paths[i];
}

static void
put(const char *name, const char *text, mode_t mode)
{
	FILE	*f;

	unlink(at(name));
	assert_non_null(f = fopen(at(name), "w"));
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(at(name), mode), 0);
}

static FILE *
errors(void)
{
	FILE	*f;

	free(said);
	said = NULL;
	assert_non_null(f = open_memstream(&said, &nsaid));
	return f;
}

/* A configuration with one pki, one table and a secret one, and listeners. */
static struct generation *
make(uint32_t number, const char *listen)
{
	struct generation	*gen;
	struct conf		*conf;
	FILE			*f = errors();
	char			 text[2048];

	snprintf(text, sizeof(text), "hostname \"h.example\"\n"
	    "pki \"p\" { cert \"%s\" key \"%s\" }\n"
	    "auth \"a\" { pam service \"msad\" mech { plain } "
	    "realm \"x.example\" }\n"
	    "table t file:\"%s\"\ntable s file:\"%s\"\n"
	    "relay \"r\" { host \"n.example\" port 465 tls verify "
	    "ca \"%s\" auth <s> \"l\" }\n%s"
	    "match from auth sender { own, <t> } relay \"r\"\n",
	    at("cert"), at("key"), at("table"), at("secret"), at("cert"),
	    listen);
	conf = conf_parse_text(text, strlen(text), "test", f);
	fclose(f);
	if (conf == NULL)
		fail_msg("%s", said);
	assert_non_null(gen = generation_new(number, conf));
	return gen;
}

static void
good_files(void)
{
	put("cert", "cert", 0644);
	put("key", "key", 0600);
	put("table", "u: a@b.example\n", 0644);
	put("secret", "l: u p\n", 0600);
}

/* files_open() of these files: 0, or -1 when errors hold the word. */
static void
expect_refused(const char *word)
{
	struct generation	*gen = make(1, "");
	FILE			*f = errors();
	int			 ret = files_open(gen, f);

	fclose(f);
	generation_free(gen, NULL);
	assert_int_equal(ret, -1);
	if (strstr(said, word) == NULL)
		fail_msg("\"%s\" is not in: %s", word, said);
}

static void
t_modes(void **state)
{
	struct generation	*gen;
	FILE			*f;

	(void)state;
	good_files();
	gen = make(1, "");
	f = errors();
	assert_int_equal(files_open(gen, f), 0);
	fclose(f);
	assert_string_equal(said, "");
	generation_free(gen, NULL);

	put("key", "key", 0640);
	expect_refused("/key: a secret must not be accessible");
	put("key", "key", 0604);
	expect_refused("/key: a secret must not be accessible");
	good_files();
	put("secret", "l: u p\n", 0644);
	expect_refused("/secret: a secret must not be accessible");
	good_files();
	put("table", "", 0666);
	expect_refused("/table: must not be writable");
	put("table", "", 0664);
	expect_refused("/table: must not be writable");
	good_files();
	assert_int_equal(chown(at("key"), 12345, 0), 0);
	expect_refused("/key: a secret must belong to root");
	good_files();
	unlink(at("cert"));
	expect_refused("/cert: No such file");
	assert_int_equal(mkfifo(at("cert"), 0600), 0);
	expect_refused("/cert: not a regular file");	/* and does not hang */
}

static const struct file *
file_of(const struct generation *gen, enum ipc_file kind)
{
	const struct file	*f;

	TAILQ_FOREACH(f, &gen->files, entry)
		if (f->kind == kind && strcmp(f->name, "s") != 0)
			return f;
	fail();
	return NULL;
}

static void
t_reopen(void **state)
{
	struct generation	*gen;
	const struct file	*key;
	FILE			*f;
	char			 buf[8];
	int			 a, b;

	(void)state;
	good_files();
	gen = make(1, "");
	f = errors();
	assert_int_equal(files_open(gen, f), 0);
	fclose(f);
	key = file_of(gen, FILE_PKI_KEY);
	assert_int_equal(key->role, ROLE_KEYS);
	assert_int_equal(file_of(gen, FILE_PKI_CERT)->role, ROLE_FRONTEND);
	assert_int_equal(file_of(gen, FILE_TABLE)->role, ROLE_QUEUE);
	assert_int_equal(file_of(gen, FILE_RELAY_CA)->role, ROLE_RELAY);

	/* each has its own position; what took the name does not matter */
	put("new", "other", 0600);
	assert_int_equal(rename(at("new"), at("key")), 0);
	a = files_reopen(key);
	b = files_reopen(key);
	assert_int_equal(read(a, buf, sizeof(buf)), 3);
	assert_int_equal(read(b, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "key", 3);
	close(a);
	close(b);

	a = files_text(gen);
	assert_int_equal(read(a, buf, 8), 8);
	assert_memory_equal(buf, gen->text, 8);
	close(a);
	generation_free(gen, NULL);
}

static int
directory(const char *name, uid_t uid, mode_t allowed)
{
	FILE	*f = errors();
	int	 ret;

	ret = files_directory(at(name), uid, 0, 0700, allowed, f);
	fclose(f);
	return ret;
}

static void
t_directory(void **state)
{
	struct stat	 st;

	(void)state;
	assert_int_equal(directory("d", 12345, 0700), 0);
	assert_int_equal(stat(at("d"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(directory("d", 12345, 0700), 0);	/* is there */
	assert_int_equal(directory("d", 12346, 0700), -1);
	assert_int_equal(chmod(at("d"), 0750), 0);
	assert_int_equal(directory("d", 12345, 0700), -1);
	assert_int_equal(directory("d", 12345, 0777), 0);
	put("f", "", 0600);
	assert_int_equal(directory("f", 0, 0777), -1);
	assert_int_equal(directory("no/such", 0, 0777), -1);
	rmdir(at("d"));
	unlink(at("f"));
}

static void
t_check_conf(void **state)
{
	FILE	*f = errors();

	(void)state;
	put("conf", "", 0644);
	assert_int_equal(files_check_conf(at("conf"), f), 0);
	assert_int_equal(chmod(at("conf"), 0664), 0);
	assert_int_equal(files_check_conf(at("conf"), f), -1);
	assert_int_equal(chmod(at("conf"), 0646), 0);
	assert_int_equal(files_check_conf(at("conf"), f), -1);
	assert_int_equal(chmod(at("conf"), 0644), 0);
	assert_int_equal(chown(at("conf"), 12345, 0), 0);
	assert_int_equal(files_check_conf(at("conf"), f), -1);
	assert_int_equal(files_check_conf(dir, f), -1);
	assert_int_equal(files_check_conf(at("none"), f), -1);
	fclose(f);
	unlink(at("conf"));
}

static ino_t
inode(int fd)
{
	struct stat	 st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A port that is free now, as the text of a listener. */
static void
listen_text(char *buf, size_t size)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	snprintf(buf, size, "listen on 127.0.0.1 port %u tls pki \"p\" "
	    "auth \"a\"\n", ntohs(sin.sin_port));
}

static int
listeners(struct generation *gen, const struct generation *old)
{
	FILE	*f = errors();
	int	 ret = listeners_open(gen, old, f);

	fclose(f);
	return ret;
}

static void
t_listeners(void **state)
{
	struct generation	*one, *two, *three;
	struct listener		*first, *second, *old;
	char			 a[128], b[128], both[256];

	(void)state;
	listen_text(a, sizeof(a));
	listen_text(b, sizeof(b));
	snprintf(both, sizeof(both), "%s%s", b, a);
	one = make(1, a);
	assert_int_equal(listeners(one, NULL), 0);
	/* the same address: the same socket, at its new place */
	two = make(2, both);
	assert_int_equal(listeners(two, one), 0);
	old = TAILQ_FIRST(&one->listeners);
	first = TAILQ_FIRST(&two->listeners);
	second = TAILQ_NEXT(first, entry);
	assert_int_equal(first->index, 0);
	assert_int_equal(inode(second->fd), inode(old->fd));
	assert_int_not_equal(inode(first->fd), inode(old->fd));
	/* somebody else's address: refused */
	three = make(3, b);
	assert_int_equal(listeners(three, one), -1);
	assert_non_null(strstr(said, "Address already in use"));
	generation_free(one, NULL);
	generation_free(two, NULL);
	generation_free(three, NULL);
}

static void
t_control(void **state)
{
	struct stat	 st;
	FILE		*f = errors();
	int		 fd, again;

	(void)state;
	fd = listener_control(at("sock"), 12345, f);
	assert_int_not_equal(fd, -1);
	assert_int_equal(stat(at("sock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, 12345);
	assert_int_equal(listener_control(at("sock"), 0, f), -1);
	close(fd);
	again = listener_control(at("sock"), 0, f);	/* stale: taken over */
	assert_int_not_equal(again, -1);
	close(again);
	unlink(at("sock"));
	put("sock", "", 0600);
	assert_int_equal(listener_control(at("sock"), 0, f), -1);
	unlink(at("sock"));
	fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const	 names[] = { "cert", "key", "table",
					    "secret" };
	size_t				 i;

	(void)state;
	for (i = 0; i < 4; i++)
		unlink(at(names[i]));
	free(said);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(t_modes),
		cmocka_unit_test(t_reopen),
		cmocka_unit_test(t_directory),
		cmocka_unit_test(t_check_conf),
		cmocka_unit_test(t_listeners),
		cmocka_unit_test(t_control),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("files", tests, setup, teardown);
}
