/*
 * SQLite's view of the file system in msad-lookup: there is none. A database
 * is a descriptor that msad passed, by its number; it is read and locked like
 * SQLite's own code does (the same octets, so that writers elsewhere are kept
 * out while a query reads), and nothing is ever written, made or removed.
 *
 * There is no journal to be seen: after a crash of a writer amid its commit the
 * database must be opened by a writer first, as any start of that program does.
 * A database in WAL mode needs files beside it and is refused by vfs_check().
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vfs.h"

/* The octets that SQLite locks, as its file format document says. */
#define PENDING_BYTE	0x40000000
#define SHARED_FIRST	(PENDING_BYTE + 2)
#define SHARED_SIZE	510

#define HEADER_SIZE	100
#define WRITE_VERSION	18	/* in the header; 2: WAL */
#define READ_VERSION	19

struct file {
	sqlite3_file	 base;
	int		 fd;
	int		 level;		/* SQLITE_LOCK_* */
};

static int
file_of(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->fd;
}

static int
file_close(sqlite3_file *f)
{
	(void)f;	/* the descriptor is the source's */
	return SQLITE_OK;
}

static int
file_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 off)
{
	ssize_t	got = 0, r;

	while (got < n) {
		r = pread(file_of(f), (char *)buf + got, (size_t)(n - got),
		    (off_t)(off + got));
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return SQLITE_IOERR_READ;
		if (r == 0)
			break;
		got += r;
	}
	if (got == n)
		return SQLITE_OK;
	memset((char *)buf + got, 0, (size_t)(n - got));
	return SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 off)
{
	(void)f;
	(void)buf;
	(void)n;
	(void)off;
	return SQLITE_READONLY;
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	(void)f;
	(void)size;
	return SQLITE_READONLY;
}

static int
file_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags;
	return SQLITE_OK;
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	struct stat	st;

	if (fstat(file_of(f), &st) == -1)
		return SQLITE_IOERR_FSTAT;
	*size = st.st_size;
	return SQLITE_OK;
}

static int
set_lock(int fd, short type, off_t start, off_t len)
{
	struct flock	l = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = start, .l_len = len };

	return fcntl(fd, F_SETLK, &l);
}

/* A reader's lock; no other is ever needed. */
static int
file_lock(sqlite3_file *f, int level)
{
	struct file	*file = (struct file *)(void *)f;
	int		 ret;

	if (file->level >= level)
		return SQLITE_OK;
	if (level > SQLITE_LOCK_SHARED)
		return SQLITE_READONLY;
	/* a writer that waits for readers to leave holds the first octet */
	if (set_lock(file->fd, F_RDLCK, PENDING_BYTE, 1) == -1)
		return errno == EACCES || errno == EAGAIN ? SQLITE_BUSY :
		    SQLITE_IOERR_LOCK;
	ret = set_lock(file->fd, F_RDLCK, SHARED_FIRST, SHARED_SIZE);
	if (ret == -1)
		ret = errno == EACCES || errno == EAGAIN ? SQLITE_BUSY :
		    SQLITE_IOERR_RDLOCK;
	(void)set_lock(file->fd, F_UNLCK, PENDING_BYTE, 1);
	if (ret == SQLITE_OK)
		file->level = level;
	return ret;
}

static int
file_unlock(sqlite3_file *f, int level)
{
	struct file	*file = (struct file *)(void *)f;

	if (level >= file->level)
		return SQLITE_OK;
	file->level = level;
	if (level == SQLITE_LOCK_NONE && set_lock(file->fd, F_UNLCK,
	    PENDING_BYTE, SHARED_FIRST + SHARED_SIZE - PENDING_BYTE) == -1)
		return SQLITE_IOERR_UNLOCK;
	return SQLITE_OK;
}

static int
file_reserved(sqlite3_file *f, int *out)
{
	(void)f;
	*out = 0;
	return SQLITE_OK;
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int
file_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int
file_features(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_features
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
    int *out)
{
	struct file	*file = (struct file *)(void *)f;
	const char	*why;

	(void)vfs;
	f->pMethods = NULL;
	if (name == NULL || !(flags & SQLITE_OPEN_MAIN_DB))
		return SQLITE_CANTOPEN;
	file->fd = (int)strtonum(name, 0, 65535, &why);
	file->level = SQLITE_LOCK_NONE;
	if (why != NULL || fcntl(file->fd, F_GETFD) == -1)
		return SQLITE_CANTOPEN;
	f->pMethods = &methods;
	if (out != NULL)
		*out = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
	return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	(void)name;
	(void)sync;
	return SQLITE_READONLY;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)name;
	(void)flags;
	*out = 0;
	return SQLITE_OK;
}

static int
vfs_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	return strlcpy(out, name, (size_t)n) < (size_t)n ? SQLITE_OK :
	    SQLITE_CANTOPEN;
}

static int
vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	arc4random_buf(out, (size_t)n);
	return n;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	(void)us;
	return 0;
}

/* Milliseconds since noon in Greenwich on November 24, 4714 B.C. */
static int
vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	struct timespec	ts;

	(void)vfs;
	clock_gettime(CLOCK_REALTIME, &ts);
	*out = INT64_C(210866760000000) + (sqlite3_int64)ts.tv_sec * 1000 +
	    ts.tv_nsec / 1000000;
	return SQLITE_OK;
}

static int
vfs_time(sqlite3_vfs *vfs, double *out)
{
	sqlite3_int64	ms;

	vfs_time64(vfs, &ms);
	*out = (double)ms / 86400000.0;
	return SQLITE_OK;
}

static int
vfs_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	if (n > 0)
		out[0] = '\0';
	return errno;
}

static sqlite3_vfs vfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct file),
	.mxPathname = VFS_NAME_MAX,
	.zName = VFS_NAME,
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_path,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
	.xGetLastError = vfs_error,
	.xCurrentTimeInt64 = vfs_time64
};

int
vfs_init(void)
{
	return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : -1;
}

void
vfs_name(int fd, char *buf, size_t size)
{
	snprintf(buf, size, "%d", fd);
}

const char *
vfs_check(int fd)
{
	static const char	magic[16] = "SQLite format 3";
	unsigned char		h[HEADER_SIZE];
	ssize_t			n = pread(fd, h, sizeof(h), 0);

	if (n != (ssize_t)sizeof(h) || memcmp(h, magic, sizeof(magic)) != 0)
		return "the file is no SQLite database";
	if (h[WRITE_VERSION] > 1 || h[READ_VERSION] > 1)
		return "the database is in WAL mode, which needs files beside "
		    "it: PRAGMA journal_mode = DELETE";
	return NULL;
}
