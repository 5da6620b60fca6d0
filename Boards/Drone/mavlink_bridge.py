"""Tells an autopilot by MAVLink what fcclip-edge sees: heartbeat, texts from rules, the direction of a landing target.

usage: mavlink_bridge.py --vehicle LINK [--listen ADDRESS:PORT] [--rule NAME[:AREA%]]...
                         [--target NAME --field-of-view DEGREES] [--system NUMBER]

  --vehicle        what pymavlink connects to: /dev/ttyAMA0,921600 or udpout:192.168.1.2:14550, for example
  --listen         where the JSON lines arrive (fcclip-edge --json udp://...); default: 127.0.0.1:5005
  --rule           a text (STATUSTEXT) when a segment of this name, covering at least so much of the picture, appears,
                   and one when it has gone
  --target         the direction of the largest segment of this name (LANDING_TARGET), for every line that has one
  --field-of-view  of the camera, horizontally, in degrees; the camera looks along the vehicle's down axis, the
                   picture's top to the front
  --system         the vehicle's system id; default: 1

NAME is a class's name or the synonym that matched. Needs pymavlink; a serial link needs pyserial too. Distances are not
known: LANDING_TARGET has angles only (position_valid 0, distance 0), and nothing is sent for obstacle avoidance.
"""

import argparse
import json
import math
import socket
import sys
import time

from pymavlink import mavutil
from pymavlink.dialects.v20 import common as mavlink

# Seconds without a line until the heartbeat says so, and lines that must lack a segment until it has gone.
SILENCE = 10
PATIENCE = 3


class Rule:
    """A segment's name with its least share of the picture. Exact comparison; a share in percent."""

    def __init__(self, text):
        self.name, colon, share = text.rpartition(":")
        if not colon:
            self.name, share = text, "0%"
        number = float(share.removesuffix("%"))
        self.share = number / 100 if share.endswith("%") else number
        if not self.name or not 0 <= self.share <= 1:
            raise ValueError(text)
        self.is_raised, self.missing = False, 0

    def change(self, line):
        """The text for a line that changes the rule's state, or None."""
        shares = [share for segment, share in named(line, self.name) if share >= self.share]
        if shares:
            self.missing = 0
            if not self.is_raised:
                self.is_raised = True
                return f"fcclip: {self.name} {100 * max(shares):.0f}%"
        elif self.is_raised:
            self.missing += 1
            if self.missing == PATIENCE:
                self.is_raised = False
                return f"fcclip: {self.name} gone"
        return None


def named(line, name):
    """Segments of this name or synonym, each with its share of the picture."""
    total = line["size"]["width"] * line["size"]["height"]
    return [(one, one["area"] / total) for one in line["segments"] if name in (one["name"], one["synonym"])]


def direction(line, name, field_of_view):
    """Angles to the largest segment of this name, and its size, in radians, or None.

    The angles count from the picture's middle, to the right and down (MAVLink's angle_x and angle_y).
    field_of_view: in degrees, over the width.
    Pinhole: angle = atan(offset / f), f = width / 2 / tan(field of view / 2).
    """
    found = named(line, name)
    if not found:
        return None
    left, top, width, height = max(found, key=lambda pair: pair[1])[0]["box"]
    whole, high = line["size"]["width"], line["size"]["height"]
    focal = whole / 2 / math.tan(math.radians(field_of_view) / 2)
    x, y = left + width / 2 - whole / 2, top + height / 2 - high / 2
    return (
        math.atan(x / focal),
        math.atan(y / focal),
        2 * math.atan(width / 2 / focal),
        2 * math.atan(height / 2 / focal),
    )


class Bridge:
    def __init__(self, options):
        self.rules, self.target, self.view = options.rule, options.target, options.field_of_view
        self.vehicle = mavutil.mavlink_connection(
            options.vehicle.split(",")[0],
            baud=int((options.vehicle.split(",") + ["57600"])[1]),
            source_system=options.system,
            source_component=mavlink.MAV_COMP_ID_ONBOARD_COMPUTER,
            dialect="common",
        )
        # MAVLink 2 from the first byte on.
        self.vehicle.mav = mavlink.MAVLink(self.vehicle, options.system, mavlink.MAV_COMP_ID_ONBOARD_COMPUTER)
        self.heard = self.beaten = -math.inf

    def beat(self, now):
        """A heartbeat, once a second: active while lines come, else critical."""
        if now - self.beaten < 1:
            return
        self.beaten = now
        state = mavlink.MAV_STATE_ACTIVE if now - self.heard < SILENCE else mavlink.MAV_STATE_CRITICAL
        self.vehicle.mav.heartbeat_send(mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, state)

    def take(self, datagram, now):
        try:
            line = json.loads(datagram)
            texts = [rule.change(line) for rule in self.rules]
            target = direction(line, self.target, self.view) if self.target else None
        except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
            print(f"mavlink_bridge: a datagram that is not a line of fcclip-edge: {error!r}", file=sys.stderr)
            return
        self.heard = now
        for text in filter(None, texts):
            self.vehicle.mav.statustext_send(mavlink.MAV_SEVERITY_NOTICE, text.encode()[:50])
        if target:
            self.vehicle.mav.landing_target_send(
                time_usec=int(now * 1e6),
                target_num=0,
                frame=mavlink.MAV_FRAME_BODY_FRD,
                angle_x=target[0],
                angle_y=target[1],
                distance=0,
                size_x=target[2],
                size_y=target[3],
                type=mavlink.LANDING_TARGET_TYPE_VISION_OTHER,
                position_valid=0,
            )

    def run(self, lines):
        lines.settimeout(0.2)
        while True:
            try:
                datagram = lines.recv(65536)
            except TimeoutError:
                datagram = None
            now = time.monotonic()
            try:
                if datagram is not None:
                    self.take(datagram, now)
                self.beat(now)
            except OSError as error:
                print(f"mavlink_bridge: the vehicle's link: {error}", file=sys.stderr)
                time.sleep(1)


def main():
    parser = argparse.ArgumentParser(prog="mavlink_bridge.py", usage=__doc__.split("usage: ")[1].replace("%", "%%"))
    parser.add_argument("--vehicle", required=True)
    parser.add_argument("--listen", default="127.0.0.1:5005")
    parser.add_argument("--rule", action="append", default=[], type=Rule)
    parser.add_argument("--target")
    parser.add_argument("--field-of-view", type=float)
    parser.add_argument("--system", type=int, default=1)
    options = parser.parse_args()
    address, _, port = options.listen.rpartition(":")
    if not address or not port.isdigit():
        parser.error(f"--listen {options.listen}: ADDRESS:PORT is expected")
    if options.target and not 1 <= (options.field_of_view or 0) <= 170:
        parser.error("--target needs --field-of-view, 1 to 170 degrees")
    try:
        lines = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        lines.bind((address, int(port)))
        Bridge(options).run(lines)
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"mavlink_bridge: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
