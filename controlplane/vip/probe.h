/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_PROBE_H
#define FAIRWAY_VIP_PROBE_H

#include "controlplane/config/config.h"

/* What a packet that probes a service is addressed to. VIPs may overlap, and so may services of a
 * VIP with its service of any port. */

/* The first address of the VIP that no VIP inside it owns; false when they own all of it. */
bool vip_probe_address(const struct config *cfg, const struct config_vip *vip,
		       struct addr *ret_address);
/* A port that this service gets, or 0 when others of the VIP leave it none. */
uint16_t vip_probe_port(const struct config_vip *vip, const struct config_service *service);
/* A source that the service doesn't deny, of the documentation's addresses where it can be; false
 * when there is none. */
bool vip_probe_source(const struct config_vip *vip, const struct config_service *service,
		      struct addr *ret_source);

#endif
