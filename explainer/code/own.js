export const createOwn = () => ({ update() {}, fit() {}, destroy() {} });
