/* Standard input, output and error of a program that was started without some of them. */
#ifndef THRONG_NET_STANDARD_FILES_H
#define THRONG_NET_STANDARD_FILES_H

/* To be called first of all. Whatever is opened later would otherwise take the place of one that is closed: a complaint
 * would be written into a socket or a store, and libuv ends the program when it finds one of its own there. In their
 * places stands what can't be read or written, so that whoever needs them is told: EBADF. */
void throng_keep_standard_files(void);

#endif
