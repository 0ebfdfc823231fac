export const createLibrary = () => ({ update() {}, fit() {}, destroy() {} });
