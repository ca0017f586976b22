import { describe, expect, test } from 'vitest';
import {
  chooseSource,
  downloadAddress,
  environmentPlaces,
  goArchitecture,
  minorOf,
} from '../../bed/cascade.ts';

const cache = { label: 'the cache', folder: '/cache' };
const assets = { label: 'KUBEBUILDER_ASSETS', folder: '/assets' };

describe('the cascade of binaries', () => {
  test('takes the first place that has the program', () => {
    const found = [
      { place: assets, version: 'Kubernetes v1.36.0' },
      { place: cache, version: '1.36.3' },
    ];
    expect(chooseSource({ found }, '1.36.3')).toEqual({ from: 'place', place: assets });
  });

  test('goes on to the next place when the program is not there', () => {
    const found = [
      { place: assets, version: undefined },
      { place: cache, version: '1.36.3' },
    ];
    expect(chooseSource({ found }, '1.36.3')).toEqual({ from: 'place', place: cache });
  });

  test('passes over another minor version and says so', () => {
    const found = [
      { place: assets, version: 'Kubernetes v1.31.0' },
      { place: cache, version: undefined },
    ];
    expect(chooseSource({ found }, '1.36.3')).toEqual({
      from: 'nowhere',
      passedOver: ['KUBEBUILDER_ASSETS has Kubernetes v1.31.0'],
    });
  });

  test('reads the minor version however it is written', () => {
    const texts = ['Kubernetes v1.36.3', '1.36.3', 'v1.36.3-alpha.1', 'Kubernetes v1.36'];
    expect(texts.map(minorOf)).toEqual(['1.36', '1.36', '1.36', '1.36']);
    expect(minorOf('unknown')).toBeUndefined();
  });

  test("prefers the bed's own folder to that of kubebuilder and ignores empty variables", () => {
    const both = { KUBEBUILDER_ASSETS: '/assets', CRYOPOD_BED_BIN: '/own' };
    expect(environmentPlaces(both).map((it) => it.folder)).toEqual(['/own', '/assets']);
    expect(environmentPlaces({ KUBEBUILDER_ASSETS: '' })).toEqual([]);
  });

  test('downloads from the release of the pinned version', () => {
    expect(downloadAddress('kubelet', '1.36.3', goArchitecture('arm64'))).toMatch(
      /\/release\/v1\.36\.3\/bin\/linux\/arm64\/kubelet$/,
    );
  });
});
