// What the launcher does once for all netlink steps.
#pragma once

// Opens what its children share; without it they do with sockets of their own.
void netlink_keep(void);
