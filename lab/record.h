/* What visits came to, added up as they end, and written one by one. */
#ifndef LAB_RECORD_H
#define LAB_RECORD_H

#include "client.h"
#include "result.h"

/* `began`: the run. */
void lab_record_visit(lab_result *result, const lab_scenario *scenario, const uint8_t *class_of, const lab_visit *visit,
                      throng_time began);

/* One line a visit; from any thread. */
typedef struct lab_record_file lab_record_file;

/* `path` NULL: no file, and nothing is written. False after a line on standard error. */
bool lab_record_file_open(lab_record_file **ret, const char *path);
void lab_record_file_add(lab_record_file *file, const lab_visit *visit, const uint8_t *class_of, throng_time began);
/* False if not all was written. */
bool lab_record_file_close(lab_record_file *file);

#endif
