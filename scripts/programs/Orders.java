// A JVM at work: four threads fill and drop maps of small objects.
import java.util.HashMap;

public class Orders {
    static volatile long sink;

    static long work(int seed) {
        long sum = 0;
        for (int round = 0; round < 12; round++) {
            HashMap<Integer, byte[]> orders = new HashMap<>();
            for (int i = 0; i < 60000; i++) orders.put(i * seed, new byte[64 + (i * 31 + seed) % 400]);
            for (byte[] order : orders.values()) sum += order.length;
        }
        return sum;
    }

    public static void main(String[] words) throws Exception {
        Thread[] all = new Thread[4];
        for (int t = 0; t < all.length; t++) {
            int seed = t + 1;
            all[t] = new Thread(() -> sink += work(seed));
            all[t].start();
        }
        for (Thread one : all) one.join();
        Thread.sleep(700);
        System.out.println("done " + sink);
    }
}
