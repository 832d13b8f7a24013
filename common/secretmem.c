/*
 * Memory for secrets (secretmem.h). Called at start, before the sandbox.
 *
 * Each property is asked for by itself, since systems differ in what they
 * have: what cannot be had is left out, but for the memory as such.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/secretmem.h"

/* Memory that the kernel itself does not map; MAP_FAILED: there is none. */
static void *
map_secret(size_t size)
{
#ifdef SYS_memfd_secret
	void	*p;
	int	 fd;

	if ((fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC)) == -1)
		return MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == -1)
		p = MAP_FAILED;
	else
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	close(fd);
#ifdef MADV_DONTFORK
	if (p != MAP_FAILED)	/* it is shared: no child may see it */
		(void)madvise(p, size, MADV_DONTFORK);
#endif
	return p;
#else
	(void)size;
	return MAP_FAILED;
#endif
}

void *
secretmem_alloc(size_t size, bool *locked)
{
	size_t	 page = (size_t)sysconf(_SC_PAGESIZE);
	void	*p;

	size = (size + page - 1) / page * page;
	*locked = true;		/* memfd_secret's memory always is */
	if ((p = map_secret(size)) != MAP_FAILED)
		return p;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON,
	    -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	*locked = mlock(p, size) == 0;
#ifdef MADV_DONTDUMP
	(void)madvise(p, size, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
	(void)madvise(p, size, MADV_WIPEONFORK);
#endif
	return p;
}
