import { containerGates } from './container-gates.ts';
import { credentialGates } from './credential-gates.ts';
import type { ContainerFacts, ContainerGate, GateFacts } from './facts.ts';
import { imageGates } from './image-gates.ts';
import { nodeGates } from './node-gates.ts';

const perContainer = {
  ...containerGates,
  ...credentialGates,
  ...imageGates,
} as const satisfies Readonly<Record<string, ContainerGate>>;

/** Names of all gates, as metrics carry them. */
export const gateNames = [...keysOf(nodeGates), ...keysOf(perContainer)] as const;
export type GateName = keyof typeof nodeGates | keyof typeof perContainer;

/** Something that is in the way of a restore, in a sentence that names both sides. */
export type Refusal = { readonly gate: GateName; readonly message: string };

const shownOfEachGate = 3;

/** Everything that is in the way, all of it at once; a gate that finds much says how much more. Pure. */
export function findRefusals(facts: GateFacts): readonly Refusal[] {
  return [
    ...keysOf(nodeGates).flatMap((gate) => few(gate, nodeGates[gate](facts))),
    ...facts.containers.flatMap((container) =>
      keysOf(perContainer).flatMap((gate) => few(gate, look(gate, container))),
    ),
  ];
}

const look = (gate: keyof typeof perContainer, container: ContainerFacts): readonly string[] => {
  const judge: ContainerGate = perContainer[gate];
  return judge(container).map((message) => `container ${container.name}: ${message}`);
};

function few(gate: GateName, messages: readonly string[]): readonly Refusal[] {
  const more = messages.length - shownOfEachGate;
  return messages.slice(0, shownOfEachGate).map((message, index) => ({
    gate,
    message: more > 0 && index === shownOfEachGate - 1 ? `${message} (and ${more} more)` : message,
  }));
}

/** Object.keys, of an object that has no others than its type says. */
function keysOf<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
