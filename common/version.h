#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

#define MSAD_VERSION	"0.1"

#endif
