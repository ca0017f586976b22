import { describe, expect, test } from 'vitest';
import { parsePart } from '../../bed/faults.ts';
import { nodeAddress, nodeIndex, nodeName } from '../../bed/network.ts';
import { mirrorIn } from '../../bed/node-root.ts';
import { bedPaths, netnsName } from '../../bed/paths.ts';

describe('names of a bed', () => {
  test('are refused when a path or a cgroup could not carry them', () => {
    for (const name of ['', '-a', 'a-', 'A', 'a/b', '..', 'a'.repeat(33)]) {
      expect(() => bedPaths(name)).toThrow('is no name for a bed');
    }
    expect(bedPaths('e2e-2').directory.endsWith('/e2e-2')).toBe(true);
  });

  test('keep the namespaces of beds apart', () => {
    expect(netnsName('a', 'hub')).not.toBe(netnsName('a-hub', 'hub'));
  });

  test('of nodes and their indices are each other', () => {
    for (const index of [1, 2, 9]) expect(nodeIndex(nodeName(index))).toBe(index);
    expect(nodeName(2)).toBe('node-b');
    expect(nodeAddress(1)).not.toBe(nodeAddress(2));
  });
});

describe('parts of a bed', () => {
  const nodes = ['node-a'];

  test('are programs of the hub, nodes, and daemons on nodes', () => {
    expect(parsePart('apiserver', nodes)).toEqual({ kind: 'process', role: 'apiserver' });
    expect(parsePart('node-a', nodes)).toEqual({ kind: 'node', node: 'node-a' });
    expect(parsePart('kubelet@node-a', nodes)).toEqual({
      kind: 'daemon',
      daemon: 'kubelet',
      node: 'node-a',
    });
  });

  test('that are not there are an error that lists those that are', () => {
    for (const what of ['kubelet@node-b', 'node-b', 'kubelet', 'apiserver@node-a', '']) {
      expect(() => parsePart(what, nodes)).toThrow('etcd, apiserver, kcm, scheduler, forwarder');
    }
  });
});

describe("the machine's own mirror", () => {
  test('is found in either form of apt sources', () => {
    expect(mirrorIn('deb http://mirror.example/debian stable main')).toBe(
      'http://mirror.example/debian',
    );
    expect(mirrorIn('Types: deb\nURIs: https://mirror.example/pub/debian/\nSuites: x')).toBe(
      'https://mirror.example/pub/debian/',
    );
  });

  test('is not one of comments, of security updates or of another distribution', () => {
    const text = [
      '# deb http://old.example/debian stable main',
      'deb http://mirror.example/debian-security stable main',
      'deb http://mirror.example/ubuntu noble main',
    ];
    expect(mirrorIn(text.join('\n'))).toBeUndefined();
  });
});
