// DuckDB is called directly; this file gives the target something to compile.
#include "CDuckDB.h"
