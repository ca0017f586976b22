/** An image with Python. */
export const connectionImage = 'cryopod.dev/sample-python:dev';

/** Where the server listens. */
export const connectionPort = 7777;

/** Answers every line; the connection number tells whether a client has come again. */
export const askingServer = `
import socket, threading
listener = socket.create_server(('', ${connectionPort}))
def serve(connection, number):
    for line in connection.makefile('rw'):
        connection.sendall(f'connection {number} {line}'.encode())
number = 0
print('listening', flush=True)
while True:
    connection, _ = listener.accept()
    number += 1
    threading.Thread(target=serve, args=(connection, number), daemon=True).start()
`;

/** Asks over one connection as long as that lasts, and never makes another. */
export const askingClient = (address: string): string => `
import socket, time
stream = socket.create_connection(('${address}', ${connectionPort}), timeout=30).makefile('rw')
count = 0
while True:
    count += 1
    stream.write(f'ask {count}\\n'); stream.flush()
    print(stream.readline().strip(), flush=True)
    time.sleep(0.1)
`;

/** How often the client has asked over the server's first connection, by its log. */
export const askedOver = (log: string): number =>
  Number(/connection 1 ask (\d+)\s*$/.exec(log)?.[1] ?? 0);
