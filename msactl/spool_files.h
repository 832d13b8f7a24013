#ifndef MSACTL_SPOOL_FILES_H
#define MSACTL_SPOOL_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "msad/queue/record.h"

/* A segment of a spool's log. */
struct spool_segment {
	char		 name[17];	/* in log/ */
	uint64_t	 epoch;
	uint32_t	 size;		/* octets of the file */
	uint32_t	 end;		/* 0: not known */
};

/* A spool, as files. */
struct spool_files {
	int			 dir;		/* the spool's directory */
	int			 log;
	uint64_t		 key;		/* 0: no header says it */
	struct spool_segment	*segments;	/* ascending epoch */
	size_t			 n;
	uint8_t			*buf;
	size_t			 alloc;
};

/* What is found; each may be NULL. place is "log/NAME". */
struct spool_visit {
	void	(*record)(void *, const struct spool_segment *,
		    const struct record *, const uint8_t *payload,
		    uint64_t off);
	void	(*bad)(void *, const char *place, uint64_t off, const char *);
	void	*arg;
	uint64_t records;
};

/* Find the segments below path; 0, or -1 and errno. */
int	spool_files_open(struct spool_files *, const char *path,
	    const struct spool_visit *);
/* Read all records in the order of the log. */
void	spool_files_walk(struct spool_files *, struct spool_visit *);
void	spool_files_close(struct spool_files *);

#endif
