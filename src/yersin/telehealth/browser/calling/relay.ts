// Whether the relay (TURN) can be used from here, tried before the call: on many hospital and mobile networks nothing else
// gets through. Error codes: 701 no answer (https://www.w3.org/TR/webrtc/#rtcpeerconnectioniceerrorevent), 4xx RFC 8656.
export type Relay = "none" | "ok" | "refused" | "unreachable";

export async function tryRelay(servers: RTCIceServer[], patience = 6000): Promise<Relay> {
  const relays = servers.filter((server) => server.username !== undefined);
  if (!relays.length) return "none";
  const pc = new RTCPeerConnection({ iceServers: relays, iceTransportPolicy: "relay" });
  try {
    return await outcome(pc, patience);
  } finally {
    pc.close();
  }
}

async function outcome(pc: RTCPeerConnection, patience: number): Promise<Relay> {
  pc.createDataChannel("try");
  let worst: Relay = "unreachable";
  const found = new Promise<Relay>((done) => {
    pc.onicecandidateerror = ({ errorCode }) => {
      if (errorCode >= 400 && errorCode < 700) worst = "refused";
    };
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.type === "relay") done("ok");
      else if (!candidate) done(worst);
    };
    setTimeout(() => done(worst), patience);
  });
  await pc.setLocalDescription(await pc.createOffer());
  return found;
}
